import { cutCodePoints, exceedsCodePoints, isoTime, type JsonObject, parseTime } from "@darkmatter/core";
import { createSeenIds } from "@darkmatter/store";
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
import {
  CONTENT_CODE_POINTS_MAX,
  HOPS_DEFAULT,
  HOPS_MAX,
  isBroadcast,
  SEEN_IDS_MAX,
  SEEN_IDS_MS,
} from "./message.ts";
import { countBroadcast, insertInbox, readTally, takePlace } from "./messages.store.ts";
import { type SignedMessage, verifyMessage } from "./verify.ts";

export type ReceiveAnswer =
  | { readonly success: true; readonly queued: true; readonly queue_position: number }
  | { readonly success: true }
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

/** The ids of accepted messages: one memory for all senders, so that copies that arrive twice are known. */
export const seenMessages = createSeenIds({ keepMs: SEEN_IDS_MS, max: SEEN_IDS_MAX });

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

  /** The checks before any signature, in the reference's order. */
  async function admit(body: Body): Promise<Parsed> {
    requireFields(body, ["message_id", "content", "webhook"]);
    const message = parsed(body);
    if (await seenMessages.has(db, message.messageId, clock.now())) throw meshError("DUPLICATE");
    if (exceedsCodePoints(message.content, CONTENT_CODE_POINTS_MAX)) {
      throw meshError("TOO_LARGE", `Content exceeds ${CONTENT_CODE_POINTS_MAX} characters`);
    }
    agentIdField(body, "from_agent_id");
    const wrongWebhook = validateWebhook(message.webhook);
    if (wrongWebhook) throw meshError("BAD_REQUEST", wrongWebhook);
    if (message.from === "") throw meshError("BAD_REQUEST", "Missing from_agent_id.");
    if (message.from === self) throw meshError("BAD_REQUEST", "A message from ourselves.");
    limits.takeGlobal();
    return message;
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
      if (!(await seenMessages.remember(tx, messageId, seenAtMs))) throw meshError("DUPLICATE");
      let position = 0;
      if (broadcast) await countBroadcast(tx);
      else {
        const place = await takePlace(tx, config.inboxMax);
        if (place === undefined) throw meshError("TOO_MANY", "Message queue full");
        position = place;
        const inboxMessage = { ...message, verified: true, receivedAtMs: now, read: false };
        await insertInbox(tx, inboxMessage, metadataText);
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
      return (await readTally(db)).unread >= config.inboxMax;
    },

    async receive(body) {
      const message = await admit(body);
      const { connection, score, blocked } = await readStanding(db, message.from);
      if (blocked || (!connection && !config.acceptStrangers)) throw meshError("FORBIDDEN", "Not accepted.");
      // Looked at first, as the reference does; counted only for what the peer really signed, or anybody could use up
      // its share in its name.
      if (connection) await refuseBeyond(limits.exceededBy(message.from, connection.rateLimit), message.from);
      await verifyMessage(message, connection, self, verifier, clock.now());
      if (connection)
        await refuseBeyond(limits.takeConnection(message.from, connection.rateLimit), message.from);
      const answer = await store(message, connection !== undefined, score);
      if (!isBroadcast(message.metadata)) {
        // The answer goes out first; the reference calls back before it answers.
        const source = { from: message.from, connected: connection !== undefined };
        const call = () => callbacks.received(message.webhook, source);
        background.start("webhook.received", call, message.from);
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
