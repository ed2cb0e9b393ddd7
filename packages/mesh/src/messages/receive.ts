import {
  cutCodePoints,
  exceedsCodePoints,
  hasCode,
  isoTime,
  type JsonObject,
  parseTime,
} from "@darkmatter/core";
import type { Background } from "../background.ts";
import { countDeclined, countReceived, readStanding } from "../connections/connections.store.ts";
import type { Connections } from "../connections/connections.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import {
  agentIdField,
  type Body,
  lineField,
  MESSAGE_ID_CODE_POINTS_MAX,
  objectField,
  requireFields,
  textField,
} from "../fields.ts";
import type { Limits } from "../limits/limits.ts";
import type { MeshPorts } from "../ports.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import { validateWebhook } from "../webhooks/webhook.ts";
import { CONTENT_CODE_POINTS_MAX, HOPS_DEFAULT, HOPS_MAX, isBroadcast } from "./message.ts";
import { countBroadcast, insertInbox, readTally, takePlace } from "./messages.store.ts";
import { seenMessages, wasSeen } from "./seen.ts";
import { type SignedMessage, verifyMessage } from "./verify.ts";

export type ReceiveAnswer =
  | { readonly success: true; readonly queued: true; readonly queue_position: number }
  | { readonly status: "broadcast_received" };

/** Taking messages of other agents (mesh.md 5.3, 7.1). */
export interface Receiving {
  /**
   * Checks a message in the reference's order, verifies it, and answers once it is on disk.
   * Throws with the status of mesh.md 5.3; a refused message burns no id and can be sent again.
   */
  receive(body: Body): Promise<ReceiveAnswer>;
  /** Whether the inbox takes no more: told before anything else is looked at. */
  isFull(): Promise<boolean>;
}

type Standing = Awaited<ReturnType<typeof readStanding>>;

interface Parsed extends SignedMessage {
  readonly hopsRemaining: number;
}

export function createReceiving(
  ports: MeshPorts,
  connections: Connections,
  limits: Limits,
  callbacks: Callbacks,
  background: Background,
  changed: () => void,
): Receiving {
  const { db, clock, config, signer, verifier, journal } = ports;
  const self = signer.agentId;

  /** Unread messages, never fewer than there are: unknown until the first look, so that most looks need no read. */
  let unreadAtMost = Number.POSITIVE_INFINITY;

  /** The checks before any signature, in the reference's order. */
  function admit(body: Body, message: Parsed): void {
    if (exceedsCodePoints(message.content, CONTENT_CODE_POINTS_MAX)) {
      throw meshError("TOO_LARGE", `Content exceeds ${CONTENT_CODE_POINTS_MAX} characters`);
    }
    agentIdField(body, "from_agent_id");
    const wrongWebhook = validateWebhook(message.webhook);
    if (wrongWebhook) throw meshError("BAD_REQUEST", wrongWebhook);
    if (message.from === "") throw meshError("BAD_REQUEST", "Missing from_agent_id.");
    if (message.from === self) throw meshError("BAD_REQUEST", "A message from ourselves.");
    limits.takeGlobal();
  }

  /** Every check there is before a message is stored; what is known of its sender. */
  async function checked(body: Body, message: Parsed): Promise<Standing> {
    admit(body, message);
    const standing = await readStanding(db, message.from);
    const { connection, blocked } = standing;
    if (blocked || (!connection && !config.acceptStrangers)) throw meshError("FORBIDDEN", "Not accepted.");
    // Looked at first, as the reference does; counted only for what the peer really signed, or anybody could use up
    // its share in its name.
    if (connection) await refuseBeyond(limits.exceededBy(message.from, connection.rateLimit), message.from);
    await verifyMessage(message, connection, self, verifier, clock.now());
    if (connection) {
      await refuseBeyond(limits.takeConnection(message.from, connection.rateLimit), message.from);
    }
    return standing;
  }

  async function refuseBeyond(limit: number | undefined, from: string): Promise<void> {
    if (limit === undefined) return;
    await db.write((tx) => countDeclined(tx, from));
    throw meshError("TOO_MANY", `Rate limit exceeded for this connection (${limit} requests per 60s)`);
  }

  function store(message: Parsed, connected: boolean, score: number): Promise<ReceiveAnswer> {
    const { from, messageId, content, metadata } = message;
    const metadataText = JSON.stringify(metadata);
    const broadcast = isBroadcast(metadata);
    const now = clock.now();
    const at = isoTime(now);

    return db.write(async (tx) => {
      // A message whose time lies ahead of ours stays fresh for longer, and is remembered for as long.
      const seenAtMs = Math.max(now, Math.ceil(parseTime(message.timestamp ?? "") ?? now));
      if (await seenMessages.has(tx, messageId, now)) throw meshError("DUPLICATE");
      let position = 0;
      if (broadcast) {
        await seenMessages.remember(tx, messageId, seenAtMs);
        await countBroadcast(tx);
      } else {
        const place = await takePlace(tx, config.inboxMax);
        if (place === undefined) throw meshError("TOO_MANY", "Message queue full");
        position = place;
        const waiting = { ...message, verified: true, receivedAtMs: now, read: false };
        if (!(await insertInbox(tx, waiting, metadataText, seenAtMs))) throw meshError("DUPLICATE");
      }
      if (connected) await countReceived(tx, from, from, at);
      await remember(tx, {
        messageId,
        content,
        from,
        to: [self],
        at,
        entryType: broadcast ? "broadcast" : "direct",
        direction: "inbound",
        trust: score,
        metadata,
      });
      await journal.append(tx, {
        act: "message.received",
        trace: messageId,
        peer: from,
        messageId,
        fields: { content, metadata },
      });
      if (connected && metadata.type === "disconnect_announcement") {
        await connections.close(tx, from, "announced by the peer");
      }
      tx.afterCommit(changed);
      if (broadcast) return { status: "broadcast_received" };
      return { success: true, queued: true, queue_position: position };
    });
  }

  return {
    async isFull() {
      if (unreadAtMost < config.inboxMax) return false;
      unreadAtMost = (await readTally(db)).unread;
      return unreadAtMost >= config.inboxMax;
    },

    async receive(body) {
      requireFields(body, ["message_id", "content", "webhook"]);
      const message = parsed(body);
      const { messageId, from } = message;
      let standing: Standing;
      try {
        standing = await checked(body, message);
      } catch (refusal) {
        // The reference looks for a repeat before all this. It matters only where something else is wrong too.
        if (await wasSeen(db, messageId, clock.now())) throw meshError("DUPLICATE", undefined, refusal);
        throw refusal;
      }
      const connected = standing.connection !== undefined;
      const answer = await store(message, connected, standing.score).catch((error: unknown) => {
        // A replay must not use up the share of the peer that is replayed.
        if (connected && hasCode(error, "DUPLICATE")) limits.giveBack(from);
        throw error;
      });
      if ("queue_position" in answer) {
        unreadAtMost = answer.queue_position;
        // The answer goes out first; the reference calls back before it answers.
        const call = () => callbacks.received(message.webhook, { from, connected });
        background.start("webhook.received", call, from);
      }
      return answer;
    },
  };
}

function parsed(body: Body): Parsed {
  const metadata: JsonObject = objectField(body, "metadata");
  return {
    from: lineField(body, "from_agent_id") ?? "",
    messageId: cutCodePoints(lineField(body, "message_id") ?? "", MESSAGE_ID_CODE_POINTS_MAX),
    content: textField(body, "content") ?? "",
    webhook: lineField(body, "webhook") ?? "",
    metadata,
    timestamp: lineField(body, "timestamp"),
    publicKeyHex: textField(body, "from_public_key_hex"),
    signatureHex: textField(body, "signature_hex"),
    digestSignatureHex: textField(body, "dm_sig"),
    to: textField(body, "to_agent_id"),
    hopsRemaining: hops(body.hops_remaining),
  };
}

/** An integer from 0, at most 50; anything else counts as the default, as the reference reads it. */
function hops(value: unknown): number {
  if (value === undefined || value === null) return HOPS_DEFAULT;
  if (typeof value !== "number")
    throw meshError("BAD_REQUEST", "Invalid field: hops_remaining must be a number.");
  return Number.isInteger(value) && value >= 0 ? Math.min(value, HOPS_MAX) : HOPS_DEFAULT;
}
