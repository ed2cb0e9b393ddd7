import { exceedsCodePoints, isFresh, isoTime, sha256Hex } from "@darkmatter/core";
import { replyText, type Verifier } from "@darkmatter/identity";
import type { SignedMessage } from "@darkmatter/proof";
import type { Read, Write } from "@darkmatter/store";
import { speaks } from "../connections/connection.ts";
import { isBlocked, isConnected, readConnection } from "../connections/connections.store.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import { agentIdField, type Body, lineField, textField } from "../fields.ts";
import { readImpression } from "../impressions/impressions.store.ts";
import type { Arrivals } from "../messages/arrival.ts";
import { withdrawCopies } from "../messages/endings.ts";
import { CONTENT_CODE_POINTS_MAX, type SentMessage } from "../messages/message.ts";
import { isSent, readSent, setStatus } from "../messages/sent.store.ts";
import type { Waiting } from "../messages/waiting.ts";
import type { MeshPorts } from "../ports.ts";
import { hasLedger } from "../receipts/receipts.store.ts";
import type { Taking } from "../receipts/taking.ts";
import { NOTE_BYTES_MAX, RESPONSES_MAX, type Response, UPDATES_MAX, type Update } from "./webhook.ts";
import {
  countResponses,
  countUpdates,
  insertResponse,
  insertUpdate,
  readResponseCommit,
  setResponseCommit,
} from "./webhooks.store.ts";

/** What holders of our messages tell us about them (mesh.md 5.3, S4). */
export interface Webhooks {
  /** Records an update, a reply or a receipt. Throws with the status of mesh.md 5.3. */
  record(messageId: string, body: Body): Promise<Recorded>;
}

export interface Recorded {
  readonly type: string;
  /** The hash of the commit that records a reply, for an agent that keeps a ledger too (mesh.md 22.5). */
  readonly commit?: string | undefined;
}

const UPDATE_TYPES = new Set(["received", "responding", "forwarded", "expired"]);

export function createWebhooks(
  ports: MeshPorts,
  taking: Taking,
  arrivals: Arrivals,
  heard: (agentId: string) => void,
  waiting: Waiting,
  changed: () => void,
): Webhooks {
  const { db, clock, signer, verifier, journal } = ports;

  async function requireSent(tx: Read, messageId: string): Promise<SentMessage> {
    const sent = await readSent(tx, messageId);
    if (!sent) throw unknown(messageId);
    return sent;
  }

  async function recordUpdate(messageId: string, type: string, body: Body): Promise<void> {
    const update = parseUpdate(type, body, isoTime(clock.now()));
    await db.write(async (tx) => {
      const sent = await requireSent(tx, messageId);
      if (await isBlocked(tx, update.agent_id)) throw meshError("FORBIDDEN", "Not accepted.");
      const { updates } = await countUpdates(tx, messageId);
      if (updates >= UPDATES_MAX) throw meshError("TOO_MANY", "Too many updates for this message");
      await insertUpdate(tx, messageId, update);
      // Nobody signed it. From an agent that gives receipts those count, from one that does not there is nothing else.
      const isAsked = sent.copies[update.agent_id]?.receipts ?? false;
      if (!isAsked) await arrivals.note(tx, messageId, update.agent_id);
      tx.afterCommit(changed);
    });
  }

  /** Records a reply; the commit its author is to be told, if it keeps a ledger. */
  async function recordResponse(messageId: string, body: Body): Promise<string | undefined> {
    const { signed, ...reply } = await verifiedReply(messageId, body, verifier, clock.now());
    return db.write(async (tx) => {
      const sent = await requireSent(tx, messageId);
      if (await isBlocked(tx, reply.agent_id)) throw meshError("FORBIDDEN", "Not accepted.");
      const stored: Response = { ...reply, timestamp: isoTime(clock.now()) };
      const fingerprint = sha256Hex(`${stored.agent_id}\n${stored.response}`);
      const linked = await keepsLedger(tx, messageId, reply.agent_id);
      if (!(await insertResponse(tx, messageId, fingerprint, stored))) {
        return linked ? readResponseCommit(tx, messageId, fingerprint) : undefined;
      }
      // After the insert, so that an answer sent again at the cap is known as the one we have.
      if (!(await hasPlace(tx, sent, reply.agent_id))) {
        throw meshError("TOO_MANY", "Too many responses to this message");
      }
      await setStatus(tx, messageId, "responded");
      await arrivals.note(tx, messageId, stored.agent_id);
      await remember(tx, {
        messageId,
        content: stored.response,
        from: stored.agent_id,
        to: [signer.agentId],
        at: stored.timestamp,
        entryType: "reply",
        direction: "inbound",
        trust: (await readImpression(tx, stored.agent_id))?.score ?? 0,
        metadata: {},
      });
      const commit = await journal.append(tx, {
        act: "message.answered",
        trace: messageId,
        peer: stored.agent_id,
        messageId,
        fields: { response: stored.response, direction: "inbound", signed: { ...signed } },
      });
      if (commit !== undefined) await setResponseCommit(tx, messageId, fingerprint, commit);
      await noteHeard(tx, stored.agent_id);
      tx.afterCommit(() => {
        waiting.wake(messageId);
        changed();
      });
      return linked ? commit : undefined;
    });
  }

  /** Whoever knows the URL can answer under any number of keys, and must not take the places of those we asked. */
  async function hasPlace(tx: Read, { messageId, targets }: SentMessage, agentId: string): Promise<boolean> {
    const { all, own } = await countResponses(tx, messageId, agentId);
    return all <= RESPONSES_MAX || (own === 1 && targets.includes(agentId));
  }

  /** A signed word of a connected agent is a sign of life. */
  async function noteHeard(tx: Write, agentId: string): Promise<void> {
    if (await isConnected(tx, agentId)) tx.afterCommit(() => heard(agentId));
  }

  /** Whether an agent announced journal/1, or showed it: a holder we are not connected to by a receipt alone. */
  async function keepsLedger(tx: Read, messageId: string, agentId: string): Promise<boolean> {
    const connection = await readConnection(tx, agentId);
    return speaks(connection, "journal/1") || hasLedger(tx, messageId, agentId);
  }

  async function recordReceipt(messageId: string, body: Body): Promise<void> {
    const agentId = agentIdField(body, "agent_id") ?? "";
    const receipt = await taking.verified(await requireSent(db, messageId), agentId, body.receipt);
    await db.write(async (tx) => {
      if (!(await isSent(tx, messageId))) throw unknown(messageId);
      // It is signed, but never grows old: sent again by anybody it says nothing of its giver.
      if (await taking.take(tx, receipt)) await noteHeard(tx, agentId);
    });
  }

  return {
    async record(messageId, body) {
      if (!(await isSent(db, messageId))) throw unknown(messageId);
      const type = typeof body.type === "string" ? body.type : "";
      if (type === "response") return { type, commit: await recordResponse(messageId, body) };
      if (type === "receipt") await recordReceipt(messageId, body);
      else if (UPDATE_TYPES.has(type)) await recordUpdate(messageId, type, body);
      else throw meshError("BAD_REQUEST", `Unknown update type: '${type.slice(0, 40)}'`);
      return { type };
    },
  };
}

const unknown = (messageId: string) =>
  meshError("NOT_FOUND", `No sent message with ID '${messageId.slice(0, 128)}'`);

function parseUpdate(type: string, body: Body, timestamp: string): Update {
  const agentId = agentIdField(body, "agent_id") ?? "";
  const note = textField(body, "note") ?? null;
  if (note !== null && Buffer.byteLength(note) > NOTE_BYTES_MAX)
    throw meshError("TOO_LARGE", "note too long");
  if (type === "forwarded") {
    const target = agentIdField(body, "target_agent_id") ?? "";
    return { type, agent_id: agentId, target_agent_id: target, note, timestamp };
  }
  if (type === "expired") return { type, agent_id: agentId, note, timestamp };
  return { type: type as "received" | "responding", agent_id: agentId, timestamp };
}

/** Reads a reply and checks that its agent signed it: unsigned replies are refused (S4). */
async function verifiedReply(messageId: string, body: Body, verifier: Verifier, nowMs: number) {
  const agentId = agentIdField(body, "agent_id") ?? "";
  const response = textField(body, "response");
  const timestamp = lineField(body, "timestamp");
  const key = textField(body, "from_public_key_hex")?.toLowerCase();
  const signature = textField(body, "signature_hex")?.toLowerCase();
  if (response === undefined) throw meshError("BAD_REQUEST", "Missing required fields: response");
  if (exceedsCodePoints(response, CONTENT_CODE_POINTS_MAX)) {
    throw meshError("TOO_LARGE", `Response exceeds ${CONTENT_CODE_POINTS_MAX} characters`);
  }
  if (!signature || !timestamp)
    throw meshError("FORBIDDEN", "Signature required — unsigned replies are not accepted.");
  if (key !== undefined && key !== agentId) throw meshError("FORBIDDEN", "Public key mismatch");

  const text = replyText({ agentId, messageId, timestamp, response });
  if (text === undefined || !(await verifier.verify(agentId, text, signature))) {
    throw meshError("FORBIDDEN", "Invalid signature — the reply's author could not be verified.");
  }
  if (!isFresh(timestamp, nowMs)) throw meshError("FORBIDDEN", "Reply timestamp too old — possible replay");
  const signed: SignedMessage = {
    scheme: "reply",
    from: agentId,
    to: null,
    timestamp,
    webhook: null,
    content_hash: sha256Hex(response),
    metadata_hash: null,
    signature,
  };
  return { agent_id: agentId, response, metadata: body.metadata ?? {}, signed };
}

/**
 * Closes a message of ours: holders hear it when they ask (mesh.md 7.1), those it waits for do not get it any more.
 * `false` when it was closed before.
 */
export async function expireSent(
  tx: Write,
  sent: SentMessage,
  waiting: Waiting,
  nowMs: number,
): Promise<boolean> {
  if (sent.status === "expired") return false;
  await setStatus(tx, sent.messageId, "expired");
  await withdrawCopies(tx, sent.messageId, nowMs);
  tx.afterCommit(() => waiting.wake(sent.messageId));
  return true;
}
