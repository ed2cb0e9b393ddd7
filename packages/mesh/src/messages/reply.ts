import { hasCode, isoTime, reasonOf } from "@darkmatter/core";
import { replyText, signText } from "@darkmatter/identity";
import { once, type Read, type Write } from "@darkmatter/store";
import { createBackoff, createMissed } from "../backoff.ts";
import { addResponseTime } from "../connections/connections.store.ts";
import type { Connections } from "../connections/connections.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import { DELIVERY_GAIN } from "../impressions/impression.ts";
import type { Impressions } from "../impressions/impressions.ts";
import {
  inParallel,
  mayHaveArrived,
  PARALLEL_CALLS_MAX,
  type PeerAnswer,
  refusalText,
  TIMEOUT_MS,
} from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Giving } from "../receipts/giving.ts";
import { agentOrNull, authorOf, commitOf } from "../receipts/receipt.ts";
import type { Callbacks, WebhookSource } from "../webhooks/callbacks.ts";
import { type InboxMessage, requireSendable } from "./message.ts";
import {
  type AnswerGiver,
  deleteInbox,
  holdForAnswer,
  isInInbox,
  type PendingAnswer,
  readInbox,
  readPendingAnswer,
  readPendingAnswerIds,
  releaseAnswer,
} from "./messages.store.ts";

export interface ReplyOutcome {
  readonly messageId: string;
  readonly webhook: string;
  readonly responseTimeMs: number;
  /** Why the sender did not take it; `undefined` when it did. */
  readonly error: string | undefined;
}

/** Answering messages of our inbox (mesh.md 7.1). */
export interface Replying {
  /**
   * Answers a message, once: the answer is on disk before it leaves, and after a crash it goes out again by itself.
   * The message leaves the inbox when the sender took the answer, and our trust in it grows a little; not for the
   * answer of a rule (`by`) or a helper: whoever talks to a machine earns nothing. Throws NOT_FOUND for a message that
   * is not there.
   */
  reply(messageId: string, response: string, callId: string | undefined, by?: "rule"): Promise<ReplyOutcome>;
  /** Sends again what a crash or a lost connection left undecided, at growing intervals. */
  finish(): Promise<void>;
  /** An agent was heard: answers to what it brought go out at once. */
  heard(agentId: string): Promise<void>;
  /** Whether there was something for an agent that could not be brought to it. */
  missed(agentId: string): boolean;
}

/** Answers brought to their end in one run of the job. */
const FINISH_AT_ONCE = 500;

export function createReplying(
  ports: MeshPorts,
  connections: Connections,
  impressions: Impressions,
  callbacks: Callbacks,
  giving: Giving,
  changed: () => void,
): Replying {
  const { db, clock, signer, journal } = ports;
  /** Answers sent in vain: left alone for a while. */
  const pauses = createBackoff(ports);
  /** Agents that an answer could not be brought to. */
  const missed = createMissed(clock);
  /** Answers being sent by this process now: whoever else wants one sent hears how that ends. */
  const sending = new Map<string, Promise<ReplyOutcome | undefined>>();

  async function source(tx: Read, message: InboxMessage): Promise<WebhookSource> {
    const peer = await connections.get(tx, message.from);
    const connected = peer !== undefined && message.verified;
    return { from: message.from, connected, author: authorOf(message) };
  }

  /** An expired message needs no answer. A webhook that cannot say is taken for active. */
  async function requireOpen(message: InboxMessage, from: WebhookSource): Promise<void> {
    const state = await callbacks.ask(message.webhook, from).catch(ignoreUnlessForbidden);
    if (state?.status === 200 && state.body.status === "expired") {
      await db.write((tx) => deleteInbox(tx, message.messageId));
      changed();
      throw meshError("NOT_FOUND", "Message is already expired (checked via webhook). Removed from queue.");
    }
  }

  function signedReply({ message, response }: PendingAnswer): object {
    const timestamp = isoTime(clock.now());
    const { messageId, metadata } = message;
    const text = replyText({ agentId: signer.agentId, messageId, timestamp, response });
    return {
      type: "response",
      agent_id: signer.agentId,
      response,
      metadata,
      timestamp,
      from_public_key_hex: signer.agentId,
      signature_hex: signText(signer, text),
    };
  }

  /** `peerCommit`: by which the sender recorded the answer. */
  async function finished(answer: PendingAnswer, durationMs: number, peerCommit: string | undefined) {
    const { message, response, by } = answer;
    await db.write(async (tx) => {
      if (!(await deleteInbox(tx, message.messageId))) return;
      const peer = await connections.get(tx, message.from);
      if (peer) {
        await addResponseTime(tx, peer.agentId, durationMs);
        if (by === undefined) await impressions.nudge(tx, peer.agentId, DELIVERY_GAIN);
      }
      await remember(tx, {
        messageId: message.messageId,
        content: response,
        from: signer.agentId,
        to: [message.from],
        at: isoTime(clock.now()),
        entryType: "reply",
        direction: "outbound",
        trust: 0,
        metadata: message.metadata,
      });
      // An answer goes to whoever wrote the message, past all who passed it on.
      const author = agentOrNull(authorOf(message));
      const commit = await journal.append(tx, {
        act: "message.answered",
        trace: message.messageId,
        peer: author,
        messageId: message.messageId,
        peerCommit,
        fields: {
          response,
          direction: "outbound",
          ...(author === null && { caller: message.from }),
          // It may be over by now and sign nothing: whose answer it is stays known.
          ...(typeof by === "object" && { delegation: by.delegation, delegate_public_key: by.publicKey }),
        },
      });
      await giving.acted(tx, message, "replied", commit ?? null);
      tx.afterCommit(changed);
    });
  }

  /**
   * Sends a held answer. At the first attempt a refusal gives the message back, and an unknown outcome keeps it held
   * for the job. At later ones only success ends it, or the message's hour: an earlier attempt may have arrived, and
   * the agent must not be asked to answer twice.
   */
  async function send(answer: PendingAnswer, isFirst: boolean): Promise<ReplyOutcome> {
    const { messageId, webhook } = answer.message;
    const start = clock.monotonic();
    const outcome = (error: string | undefined): ReplyOutcome => ({
      messageId,
      webhook,
      responseTimeMs: Math.round((clock.monotonic() - start) * 100) / 100,
      error,
    });
    const kept = (why: string) => {
      pauses.failed(messageId);
      missed.add(answer.message.from);
      return outcome(`No answer yet (${why}). The reply is kept and sent again by itself.`);
    };
    let status: PeerAnswer;
    try {
      status = await callbacks.post(
        webhook,
        await source(db, answer.message),
        signedReply(answer),
        TIMEOUT_MS.reply,
      );
    } catch (error) {
      // What may have arrived must not be offered to the agent again.
      if (!isFirst || mayHaveArrived(error)) return kept(reasonOf(error));
      await db.write((tx) => releaseAnswer(tx, messageId));
      return outcome(`${reasonOf(error).replace(/\.$/, "")}. The message stays in your inbox.`);
    }
    if (status.status >= 400) {
      if (!isFirst) return kept(refusalText(status));
      await db.write((tx) => releaseAnswer(tx, messageId));
      return outcome(`The reply was refused: ${refusalText(status)}. The message stays in your inbox.`);
    }
    const done = outcome(undefined);
    await finished(answer, done.responseTimeMs, commitOf(status.body));
    return done;
  }

  /** Sends the answer a message is held for; `undefined` when there is none any more. Never twice at once. */
  function sendHeld(messageId: string, isFirst: boolean): Promise<ReplyOutcome | undefined> {
    const running = sending.get(messageId);
    if (running) return running;
    const run = async () => {
      const held = await readPendingAnswer(db, messageId);
      return held && send(held, isFirst);
    };
    const started = run().finally(() => sending.delete(messageId));
    sending.set(messageId, started);
    return started;
  }

  /** Goes on with a held answer, or reports how it ended: a repeated call finds what the first one left. */
  async function proceed(messageId: string, isFirst: boolean): Promise<ReplyOutcome> {
    const sent = await sendHeld(messageId, isFirst);
    if (sent) return sent;
    const error = (await isInInbox(db, messageId)) ? "The reply was refused. Reply again." : undefined;
    return { messageId, webhook: "", responseTimeMs: 0, error };
  }

  /** Sets a message aside for its answer, once for a call: whether this call has it, and whether it is new. */
  async function hold(messageId: string, response: string, callId: string | undefined, by?: "rule") {
    let isFirst = false;
    const held = await db.write((tx) => {
      isFirst = false;
      return once(tx, callId, () => {
        isFirst = true;
        return holdForAnswer(tx, messageId, response, by ?? helperOf(tx), clock.now());
      });
    });
    return { held, isFirst };
  }

  return {
    async reply(messageId, response, callId, by) {
      requireSendable(response, {});
      const message = await readInbox(db, messageId);
      if (message) {
        const from = await source(db, message);
        await requireOpen(message, from);
        const notice = { type: "responding", agent_id: signer.agentId };
        await callbacks.post(message.webhook, from, notice).catch(ignoreUnlessForbidden);
      }
      const { held, isFirst } = await hold(messageId, response, callId, by);
      if (held) return proceed(messageId, isFirst);
      throw meshError("NOT_FOUND", `No queued message with ID '${messageId.slice(0, 128)}'.`);
    },

    async finish() {
      // Side by side: a sender that never answers must not hold up the others.
      const ids = await readPendingAnswerIds(db, FINISH_AT_ONCE);
      pauses.keep(new Set(ids));
      const due = ids.filter((messageId) => !pauses.isPaused(messageId));
      await inParallel(due, PARALLEL_CALLS_MAX, (messageId) => sendHeld(messageId, false));
    },

    missed: (agentId) => missed.take(agentId),

    async heard(agentId) {
      const ids = await readPendingAnswerIds(db, FINISH_AT_ONCE, agentId);
      await inParallel(ids, PARALLEL_CALLS_MAX, (messageId) => sendHeld(messageId, false));
    },
  };
}

const helperOf = ({ actor }: Write): AnswerGiver =>
  actor && { delegation: actor.delegation, publicKey: actor.publicKey };

/** A notice that does not arrive stops nothing; a webhook that must not be called stops everything. */
export function ignoreUnlessForbidden(error: unknown): undefined {
  if (hasCode(error, "FORBIDDEN")) throw error;
}
