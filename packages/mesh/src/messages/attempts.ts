import type { Json } from "@darkmatter/core";
import type { TakenReceipt } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import type { Addresses } from "../addresses/addresses.ts";
import { type Connection, speaks } from "../connections/connection.ts";
import { countDeclined } from "../connections/connections.store.ts";
import type { Connections } from "../connections/connections.ts";
import type { MeshPorts } from "../ports.ts";
import { asksReceipts } from "../receipts/receipt.ts";
import type { Taking } from "../receipts/taking.ts";
import type { Arrivals } from "./arrival.ts";
import { mayRepeat, pauseAfter, type QueuedCopy } from "./copy.ts";
import type { Deliverer, Delivery } from "./deliver.ts";
import { noteEnd } from "./endings.ts";
import { metadataFor, type SentMessage } from "./message.ts";
import {
  type AttemptEnd,
  beginAttempt,
  type CopyKey,
  endAttempt,
  noteWay,
  type PassedOn,
  readCopy,
  readPassedOn,
  resumeCopies,
} from "./outbox.store.ts";
import { noteRouted, readSent } from "./sent.store.ts";

/** One attempt to bring a copy to its agent, and what is noted of it. */
export interface Attempts {
  /**
   * Tries a copy, unless it is being tried: then how that ends. `undefined` when there is nothing to try any more.
   * Rejects with ABORTED when this node stops meanwhile.
   */
  attempt(key: CopyKey): Promise<Delivery | undefined>;
  isUnderway(key: CopyKey): boolean;
}

const nameOf = ({ messageId, agentId, forwarded }: CopyKey) => `${forwarded} ${agentId} ${messageId}`;

/** What a copy says, and the message of ours it is of. */
type Content = Pick<PassedOn, "message" | "metadata"> & { readonly sent: SentMessage | undefined };

/** What an attempt needs of its neighbours. */
export interface AttemptsOver {
  readonly addresses: Addresses;
  readonly arrivals: Arrivals;
  readonly connections: Connections;
  readonly deliverer: Deliverer;
  readonly taking: Taking;
  readonly tookPassedOn: (tx: Write, agentId: string, passedOn: PassedOn) => Promise<void>;
  readonly changed: () => void;
}

export function createAttempts(
  { db, clock, random, signer }: MeshPorts,
  { addresses, arrivals, connections, deliverer, taking, tookPassedOn, changed }: AttemptsOver,
): Attempts {
  /** Never two of a copy at once. */
  const underway = new Map<string, Promise<Delivery | undefined>>();
  /** Copies whose last attempt could not be brought to its end: as after a crash, it may have arrived. */
  const cutOff = new Set<string>();

  async function contentOf(key: CopyKey, peer: Connection): Promise<Content | undefined> {
    if (key.forwarded) {
      const passedOn = await readPassedOn(db, key);
      return passedOn && { ...passedOn, sent: undefined };
    }
    const sent = await readSent(db, key.messageId);
    if (!sent) return undefined;
    const metadata = metadataFor(sent.metadata, sent.copies[key.agentId], signer.agentId);
    const webhook = addresses.webhookFor(peer, sent.messageId);
    return { message: { ...sent, webhook, hopsRemaining: sent.initialHops }, metadata, sent };
  }

  /**
   * An agent that was asked for a receipt has the message when its receipt says so: who answers 200 at its address, or
   * 409 to a repeat, may be somebody else.
   */
  async function confirmed(
    delivery: Delivery,
    content: Content,
    peer: Connection,
  ): Promise<{ delivery: Delivery; receipts: TakenReceipt[] }> {
    if (delivery.kind !== "took") return { delivery, receipts: [] };
    const { agentId } = peer;
    const { sent } = content;
    const unsure: Delivery = { kind: "relayed", way: delivery.way };
    if (!sent) {
      const has = delivery.again || (await provesPassedOn(content, peer, delivery.receipt));
      return { delivery: has ? delivery : unsure, receipts: [] };
    }
    const receipts = await taking.believed(sent, [{ agentId, receipt: delivery.receipt }]);
    const isAsked = sent.copies[agentId]?.receipts ?? false;
    return { delivery: receipts.length > 0 || !isAsked ? delivery : unsure, receipts };
  }

  /** The receipt is its author's wish; whoever passes the message on is answered with it as well. */
  async function provesPassedOn({ message, metadata }: Content, peer: Connection, receipt: Json | undefined) {
    const isAsked = asksReceipts(metadata) && speaks(peer, "receipts/1");
    return !isAsked || taking.proves(receipt, peer.agentId, message);
  }

  /** What an attempt makes of a copy. */
  function endOf(copy: QueuedCopy, peer: Connection, delivery: Delivery, attempts: number): AttemptEnd {
    const nowMs = clock.now();
    const way = "way" in delivery ? delivery.way : null;
    const over = { nextAtMs: null, way, nowMs };
    if (delivery.kind === "took") return { ...over, state: "stored", leftAtMs: nowMs, why: null };
    if (delivery.kind === "refused")
      return { ...over, state: "refused", leftAtMs: nowMs, why: delivery.error };

    const left = delivery.kind === "relayed" || (delivery.kind === "unreached" && delivery.left);
    const leftAtMs = left ? nowMs : null;
    const firstLeftMs = copy.leftAtMs ?? leftAtMs;
    const nextAtMs = nowMs + pauseAfter(attempts, random);
    const state = firstLeftMs === null ? "queued" : "sent";
    const why = delivery.kind === "relayed" ? "it has not said yet that it has it" : delivery.error;
    if (mayRepeat(firstLeftMs, peer, nextAtMs)) return { state, nextAtMs, leftAtMs, way, why, nowMs };
    return { ...over, state, leftAtMs, why: `${why}; ${NOT_AGAIN}` };
  }

  async function settle(
    copy: QueuedCopy,
    peer: Connection,
    end: AttemptEnd,
    receipts: readonly TakenReceipt[],
  ): Promise<void> {
    const { agentId } = peer;
    await db.write(async (tx) => {
      // Looked at before it is ended, which forgets what it said.
      const passedOn = copy.forwarded ? await readPassedOn(tx, copy) : undefined;
      const isNews = await endAttempt(tx, copy, end);
      if (!isNews) await noteWay(tx, copy, end);
      if (isNews && end.state === "stored") {
        if (!copy.forwarded) await noteRouted(tx, copy.messageId, agentId);
        await arrivals.count(tx, agentId);
        if (passedOn) await tookPassedOn(tx, agentId, passedOn);
      }
      if (isNews && end.state === "refused") await countDeclined(tx, agentId);
      // Who sent it hears of its first attempt in the answer to that.
      const isLate = copy.attempts > 1 || !copy.trying;
      if (isNews && end.nextAtMs === null && isLate) await noteLate(tx, copy, end);
      await taking.takeAll(tx, receipts);
      tx.afterCommit(changed);
    });
  }

  async function giveUp(copy: QueuedCopy): Promise<void> {
    const nowMs = clock.now();
    const end = { state: copy.state, nextAtMs: null, leftAtMs: null, way: null, why: NOT_AGAIN, nowMs };
    await db.write(async (tx) => {
      if (!(await endAttempt(tx, copy, end))) return;
      await noteEnd(tx, copy, `may not have arrived: ${NOT_AGAIN}`, nowMs);
      tx.afterCommit(changed);
    });
  }

  async function run(key: CopyKey): Promise<Delivery | undefined> {
    if (cutOff.has(nameOf(key))) await db.write((tx) => resumeCopies(tx, clock.now(), key));
    cutOff.delete(nameOf(key));
    const copy = await readCopy(db, key);
    const peer = await connections.get(db, key.agentId);
    if (!copy || copy.nextAtMs === null || !peer) return undefined;
    const content = await contentOf(key, peer);
    if (!content) return undefined;
    if (!mayRepeat(copy.leftAtMs, peer, clock.now())) {
      await giveUp(copy);
      return undefined;
    }
    // The first attempt was noted with the copy itself.
    const isBegun = copy.trying || (await db.write((tx) => beginAttempt(tx, key, clock.now())));
    if (!isBegun) return undefined;
    const repeated = copy.forwarded || copy.leftAtMs !== null;
    const outcome = await deliverer.deliver(content.message, { peer, metadata: content.metadata }, repeated);
    const { delivery, receipts } = await confirmed(outcome, content, peer);
    const attempts = copy.attempts + (copy.trying ? 0 : 1);
    await settle(copy, peer, endOf(copy, peer, delivery, attempts), receipts);
    return delivery;
  }

  return {
    isUnderway: (key) => underway.has(nameOf(key)),

    attempt(key) {
      const name = nameOf(key);
      const running = underway.get(name);
      if (running) return running;
      const started = run(key)
        .catch((error: unknown) => {
          cutOff.add(name);
          throw error;
        })
        .finally(() => underway.delete(name));
      underway.set(name, started);
      return started;
    },
  };
}

async function noteLate(tx: Write, copy: QueuedCopy, { state, why, nowMs }: AttemptEnd): Promise<void> {
  if (state === "refused") await noteEnd(tx, copy, `was refused: ${why}`, nowMs);
  if (state === "sent") await noteEnd(tx, copy, `may not have arrived: ${why}`, nowMs);
}

const NOT_AGAIN = "it is not sent again, because its agent could take a repeat for another message";
