import { hasCode, isoTime, sha256Hex } from "@darkmatter/core";
import { signText } from "@darkmatter/identity";
import { baseUrl } from "@darkmatter/net";
import { type Receipt, type Rung, receiptText } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { type Background, STRANGERS_LANE } from "../background.ts";
import { createMissed } from "../backoff.ts";
import { isBlocked, isConnected, readConnection } from "../connections/connections.store.ts";
import type { InboxMessage } from "../messages/message.ts";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import {
  agentOrNull,
  asksReceipts,
  authorOf,
  type GivenRung,
  RECEIPT_DUE_MS,
  RECEIPT_PAUSE_MAX_MS,
  RECEIPT_PAUSE_MS,
  STRANGERS_RECEIPT_DUE_MS,
} from "./receipt.ts";
import { type DueRung, deleteDue, insertDue, pruneDue, readDue } from "./receipts.store.ts";

type Message = Pick<InboxMessage, "messageId" | "content" | "from" | "metadata" | "webhook">;

/** Saying what became of the messages of others that asked for it (mesh.md 22.2). The rest hear nothing new. */
export interface Giving {
  /** Signs a receipt. Not inside a transaction: the commit it names may still change there. */
  signed(given: GivenRung): Receipt;
  /** Notes, in the act's transaction, that a message's author is to be told of a rung once it is on disk. */
  owe(tx: Write, due: DueRung): Promise<void>;
  /** Records a rung that no other act records, and owes its receipt. */
  give(tx: Write, message: Message, rung: "woken" | "read" | "expired", detail: string | null): Promise<void>;
  /** Records that our agent is asked to wake. Only the first time is told: a rung has one receipt. */
  asked(tx: Write, message: Message, way: string, isFirst: boolean): Promise<void>;
  /** Records that a message was dropped because of who brought it, and tells nobody. */
  refuse(tx: Write, message: Message, why: string): Promise<void>;
  /** Records that a message was dropped by what our owner decided, and owes the word where it was asked for. */
  drop(tx: Write, message: Message, why: string): Promise<void>;
  /** Owes the receipt of an act that `commit` records. */
  acted(tx: Write, message: Message, what: "replied" | "forwarded", commit: string | null): Promise<void>;
  /** Tells again what could not be told, at growing intervals; gives up after a day. */
  tellDue(): Promise<void>;
  /** An agent was heard: what is due to it at its own address is told at once. */
  heard(agentId: string): Promise<void>;
  /** Whether something could not be told to an agent lately. */
  missed(agentId: string): boolean;
}

export function createGiving(
  { db, clock, signer, journal, report }: MeshPorts,
  callbacks: Callbacks,
  background: Background,
): Giving {
  const self = signer.agentId;
  /** Being told by this process now. */
  const telling = new Set<string>();
  /** Told in vain by this process: until when it is left alone, and for how long that is. */
  const paused = new Map<string, { readonly untilMs: number; readonly pauseMs: number }>();
  const missed = createMissed(clock);

  function signed({ messageId, from, contentHash, rung, atMs, commit, detail }: GivenRung): Receipt {
    const receipt = { agent_id: self, message_id: messageId, rung, at: isoTime(atMs), commit, detail };
    const text = receiptText({ ...receipt, from_agent_id: from, content_hash: contentHash });
    return { ...receipt, sig: signText(signer, text) };
  }

  async function owe(tx: Write, due: DueRung): Promise<void> {
    await insertDue(tx, due);
    const lane = (await isConnected(tx, due.from)) ? due.from : STRANGERS_LANE;
    tx.afterCommit(() => background.start("receipt.told", () => tell(due), lane));
  }

  const dueOf = (message: Message, rung: Rung, detail: string | null, commit: string | null): DueRung => ({
    messageId: message.messageId,
    from: message.from,
    contentHash: sha256Hex(message.content),
    rung,
    atMs: clock.now(),
    commit,
    detail,
    webhook: message.webhook,
  });

  async function recorded(tx: Write, message: Message, rung: Rung, detail: string | null) {
    const { messageId } = message;
    const fields = { rung, detail };
    const peer = agentOrNull(authorOf(message));
    const event = { act: "receipt.given", trace: messageId, peer, messageId, fields };
    return (await journal.append(tx, event)) ?? null;
  }

  /** Whether there is nothing more to say: it was heard, or will never be. */
  async function isSettled(due: DueRung): Promise<boolean> {
    const { from, webhook } = due;
    if (await isBlocked(db, from)) return true;
    const connected = await isConnected(db, from);
    const notice = { type: "receipt", agent_id: self, receipt: signed(due) };
    try {
      const { status } = await callbacks.post(webhook, { from, connected }, notice);
      return status < 500 && status !== 429;
    } catch (error) {
      // What could not be reached is told again by the job; a webhook that must not be called never is.
      return hasCode(error, "FORBIDDEN");
    }
  }

  async function tell(due: DueRung): Promise<void> {
    const { messageId, rung } = due;
    const key = keyOf(due);
    if (telling.has(key)) return;
    telling.add(key);
    try {
      if (await isSettled(due)) await db.write((tx) => deleteDue(tx, messageId, rung));
      else {
        pause(key);
        missed.add(due.from);
      }
    } finally {
      telling.delete(key);
    }
  }

  function pause(key: string): void {
    const before = paused.get(key)?.pauseMs;
    const pauseMs = Math.min(before === undefined ? RECEIPT_PAUSE_MS : 2 * before, RECEIPT_PAUSE_MAX_MS);
    paused.set(key, { untilMs: clock.monotonic() + pauseMs, pauseMs });
  }

  /** What is due and not left alone now. */
  async function readTellable(): Promise<DueRung[]> {
    const due = await readDue(db);
    const keys = new Set(due.map(keyOf));
    for (const key of paused.keys()) if (!keys.has(key)) paused.delete(key);
    const nowMs = clock.monotonic();
    return due.filter((one) => (paused.get(keyOf(one))?.untilMs ?? nowMs) <= nowMs);
  }

  return {
    signed,
    owe,

    async give(tx, message, rung, detail) {
      if (!asksReceipts(message.metadata)) return;
      await owe(tx, dueOf(message, rung, detail, await recorded(tx, message, rung, detail)));
    },

    async asked(tx, message, way, isFirst) {
      if (!asksReceipts(message.metadata)) return;
      const commit = await recorded(tx, message, "asked", way);
      if (isFirst) await owe(tx, dueOf(message, "asked", way, commit));
    },

    async refuse(tx, message, why) {
      if (asksReceipts(message.metadata)) await recorded(tx, message, "refused", why);
    },

    async drop(tx, message, why) {
      const commit = await recorded(tx, message, "refused", why);
      if (asksReceipts(message.metadata)) await owe(tx, dueOf(message, "refused", why, commit));
    },

    async acted(tx, message, what, commit) {
      if (asksReceipts(message.metadata)) await owe(tx, dueOf(message, "acted", what, commit));
    },

    async tellDue() {
      const nowMs = clock.now();
      const untold = await db.write((tx) =>
        pruneDue(tx, nowMs - RECEIPT_DUE_MS, nowMs - STRANGERS_RECEIPT_DUE_MS),
      );
      if (untold > 0) report("receipts.untold", { count: untold });
      await inParallel(await readTellable(), PARALLEL_CALLS_MAX, tell);
    },

    missed: (agentId) => missed.take(agentId),

    async heard(agentId) {
      const peer = await readConnection(db, agentId);
      if (!peer) return;
      // Elsewhere may be somebody else's busy server: that an agent speaks is no reason to call that more often.
      const own = `${baseUrl(peer.url)}/`;
      const due = (await readDue(db)).filter(
        ({ from, webhook }) => from === agentId && webhook.startsWith(own),
      );
      await inParallel(due, PARALLEL_CALLS_MAX, tell);
    },
  };
}

const keyOf = ({ messageId, rung }: DueRung) => `${rung} ${messageId}`;
