import {
  cutCodePoints,
  exceedsCodePoints,
  hasCode,
  isoTime,
  type JsonObject,
  parseTime,
  sha256Hex,
} from "@darkmatter/core";
import { isHash, type SignedMessage } from "@darkmatter/proof";
import { seenIds, type Write } from "@darkmatter/store";
import { type Background, STRANGERS_LANE } from "../background.ts";
import {
  countDeclined,
  countReceived,
  readStanding,
  type Standing,
} from "../connections/connections.store.ts";
import { ANNOUNCED, type Connections } from "../connections/connections.ts";
import { whenHeard } from "../conversation/conversation.store.ts";
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
import type { Giving } from "../receipts/giving.ts";
import { asksReceipts, authorOf, commitOf, type GivenRung } from "../receipts/receipt.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import { validateWebhook } from "../webhooks/webhook.ts";
import { CONTENT_CODE_POINTS_MAX, HOPS_DEFAULT, HOPS_MAX, isBroadcast } from "./message.ts";
import {
  countBroadcast,
  insertInbox,
  isOfAnother,
  readStored,
  readTally,
  takePlace,
} from "./messages.store.ts";
import { createSeenShares, type SeenShare, STRANGERS_SHARE, shareOf, wasSeen } from "./seen.ts";
import type { OnStored } from "./stored.ts";
import { type ArrivedMessage, verifyMessage } from "./verify.ts";

/** What the sender is answered: 409 for a repeat that asked for its receipt again. */
export interface ReceiveAnswer {
  readonly status: 200 | 409;
  readonly body: JsonObject;
}

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

/** A message's sender, and what it signed. */
interface Checked {
  readonly connected: boolean;
  readonly score: number;
  readonly signed: SignedMessage;
  /** Whose memory of ids it takes up. */
  readonly share: SeenShare;
}

/** A message on disk: its place in the inbox, which a broadcast has none of, and the receipt it asked for. */
interface Stored {
  readonly place: number | undefined;
  readonly given: GivenRung | undefined;
}

interface Parsed extends ArrivedMessage {
  readonly hopsRemaining: number;
}

export function createReceiving(
  ports: MeshPorts,
  connections: Connections,
  limits: Limits,
  callbacks: Callbacks,
  giving: Giving,
  background: Background,
  heard: (agentId: string) => void,
  changed: () => void,
  onStored: readonly OnStored[],
): Receiving {
  const { db, clock, config, signer, verifier, journal } = ports;
  const self = signer.agentId;
  const shares = createSeenShares();

  /** Unread messages, never fewer than there are: unknown until the first look, so that most looks need no read. */
  let unreadAtMost = Number.POSITIVE_INFINITY;

  /** The checks before any signature, in the reference's order. */
  function admit(body: Body, message: Parsed): void {
    if (exceedsCodePoints(message.content, CONTENT_CODE_POINTS_MAX)) {
      throw meshError("TOO_LARGE", `Content exceeds ${CONTENT_CODE_POINTS_MAX} characters`);
    }
    // The ledger keeps what is between us and an agent under its id: a message so called would lie among that.
    if (isHash(message.messageId)) throw meshError("BAD_REQUEST", "A message_id must not be an agent's id.");
    agentIdField(body, "from_agent_id");
    const wrongWebhook = validateWebhook(message.webhook);
    if (wrongWebhook) throw meshError("BAD_REQUEST", wrongWebhook);
    if (message.from === "") throw meshError("BAD_REQUEST", "Missing from_agent_id.");
    if (message.from === self) throw meshError("BAD_REQUEST", "A message from ourselves.");
    limits.takeGlobal();
  }

  /** Every check there is before a message is stored; what is known of its sender, and what that signed. */
  async function checked(body: Body, message: Parsed): Promise<Checked> {
    admit(body, message);
    const standing = await readStanding(db, message.from);
    const { connection, blocked } = standing;
    if (blocked || (!connection && !config.acceptStrangers)) throw meshError("FORBIDDEN", "Not accepted.");
    // Looked at first, as the reference does; counted only for what the peer really signed, or anybody could use up
    // its share in its name.
    if (connection) await refuseBeyond(limits.exceededBy(message.from, connection.rateLimit), message.from);
    const signed = await verifyMessage(message, connection, self, verifier, clock.now());
    if (connection) {
      await refuseBeyond(limits.takeConnection(message.from, connection.rateLimit), message.from);
    }
    const share = connection ? shareOfPeer(message.from, connection) : STRANGERS_SHARE;
    return { connected: connection !== undefined, score: standing.score, signed, share };
  }

  function shareOfPeer(agentId: string, { rateLimit, features }: Standing): SeenShare {
    return shareOf(agentId, limits.perMinute(rateLimit), features.includes('"ids25h/1"'));
  }

  async function refuseBeyond(limit: number | undefined, from: string): Promise<void> {
    if (limit === undefined) return;
    await db.write((tx) => countDeclined(tx, from));
    throw meshError("TOO_MANY", `Rate limit exceeded for this connection (${limit} requests per 60s)`);
  }

  function rememberHeard(tx: Write, message: Parsed, score: number, at: string): Promise<void> {
    const { from, messageId, content, metadata } = message;
    return remember(tx, {
      messageId,
      content,
      from,
      to: [self],
      at,
      entryType: isBroadcast(metadata) ? "broadcast" : "direct",
      direction: "inbound",
      trust: score,
      metadata,
    });
  }

  function store(message: Parsed, { connected, score, signed, share }: Checked): Promise<Stored> {
    const { from, messageId, content, metadata } = message;
    const metadataText = JSON.stringify(metadata);
    const broadcast = isBroadcast(metadata);
    const now = clock.now();
    const at = isoTime(now);

    return db.write(async (tx) => {
      // A message whose time lies ahead of ours stays fresh for longer, and is remembered for as long.
      const seenAtMs = Math.max(now, Math.ceil(parseTime(message.timestamp ?? "") ?? now));
      const seen = { id: messageId, seenAtMs, untilMs: seenAtMs + share.keepMs, share: share.share };
      // The inbox refuses an id it holds by itself; a broadcast never gets there.
      const known = broadcast ? await wasSeen(tx, messageId, now) : await seenIds.has(tx, messageId, now);
      if (known) throw meshError("DUPLICATE");
      // Forgetting an id would let its message be acted on twice: what cannot be remembered is not taken.
      if (!(await shares.take(tx, share, now))) throw meshError("TOO_MANY", "Too many messages to remember");
      const place = broadcast ? 0 : await takePlace(tx, config.inboxMax);
      if (place === undefined) throw meshError("TOO_MANY", "Message queue full");
      const commit = await journal.append(tx, {
        act: "message.received",
        trace: messageId,
        peer: from,
        messageId,
        peerCommit: commitOf(metadata),
        fields: { content, metadata, signed: { ...signed } },
      });
      if (broadcast) {
        await seenIds.remember(tx, seen);
        await countBroadcast(tx);
      } else {
        const waiting = { ...message, verified: true, receivedAtMs: now, read: false };
        const isNew = await insertInbox(tx, waiting, metadataText, seen, commit ?? null);
        if (!isNew) throw meshError("DUPLICATE");
      }
      if (connected) await countReceived(tx, from, from, at);
      await rememberHeard(tx, message, score, at);
      if (connected && metadata.type === "disconnect_announcement") {
        await connections.close(tx, from, ANNOUNCED);
      }
      const stored = { ...message, connected, score, broadcast, receivedAtMs: now };
      for (const follow of onStored) await follow(tx, stored);
      const given = storedRung(message, signed.content_hash, now, commit);
      // Its author hears by the webhook what who brought it hears in the answer.
      if (given && authorOf(message) !== from) await giving.owe(tx, { ...given, webhook: message.webhook });
      tx.afterCommit(changed);
      if (connected) tx.afterCommit(() => heard(from));
      return { place: broadcast ? undefined : place, given };
    });
  }

  /** The receipt of a message that came again, when its sender wants it and we know that it is the same. */
  async function storedBefore(again: Parsed): Promise<GivenRung | undefined> {
    const { messageId, from, content, metadata } = again;
    if (!asksReceipts(metadata)) return undefined;
    const found = await readStored(db, messageId, from);
    if (found) {
      const { message, commit } = found;
      return storedRung(message, sha256Hex(message.content), message.receivedAtMs, commit ?? undefined);
    }
    // It left the inbox, and whoever never heard that it was here still waits for the word.
    const heardAt = await whenHeard(db, { messageId, from, content });
    const heardAtMs = heardAt === undefined ? undefined : parseTime(heardAt);
    return heardAtMs === undefined ? undefined : storedRung(again, sha256Hex(content), heardAtMs, undefined);
  }

  /** Stores a message that was checked; a repeat is refused, with its receipt again where that was asked for. */
  async function taken(message: Parsed, known: Checked): Promise<Stored | GivenRung> {
    try {
      return await store(message, known);
    } catch (error) {
      if (!hasCode(error, "DUPLICATE")) throw error;
      // Whoever was written to as well knows the id: a 409 would tell the author that its own words are here.
      if (await isOfAnother(db, message))
        throw meshError("FORBIDDEN", "Another agent's message has this id.");
      // A replay must not use up the share of the peer that is replayed.
      if (known.connected) limits.giveBack(message.from);
      const before = await storedBefore(message);
      if (before) return before;
      throw error;
    }
  }

  /** What the sender of a message on disk is told; what is told later starts here too. */
  function answer(
    { from, webhook, metadata }: Parsed,
    connected: boolean,
    { place, given }: Stored,
  ): JsonObject {
    const receipt: JsonObject = given ? { receipt: { ...giving.signed(given) } } : {};
    if (place === undefined) return { status: "broadcast_received", ...receipt };
    unreadAtMost = place;
    // Who reads a receipt in the answer needs no second word. The answer goes out first; the reference calls back
    // before it answers.
    if (!given || authorOf({ from, metadata }) !== from) {
      const lane = connected ? from : STRANGERS_LANE;
      background.start("webhook.received", () => callbacks.received(webhook, { from, connected }), lane);
    }
    return { success: true, queued: true, queue_position: place, ...receipt };
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
      let known: Checked;
      try {
        known = await checked(body, message);
      } catch (refusal) {
        // The reference looks for a repeat before all this. It matters only where something else is wrong too.
        if (await wasSeen(db, message.messageId, clock.now()))
          throw meshError("DUPLICATE", undefined, refusal);
        throw refusal;
      }
      const outcome = await taken(message, known);
      if ("rung" in outcome) {
        const { message: error, hint } = meshError("DUPLICATE");
        return { status: 409, body: { error, hint, receipt: { ...giving.signed(outcome) } } };
      }
      return { status: 200, body: answer(message, known.connected, outcome) };
    },
  };
}

/** That a message is on disk, for one that asked to hear so. */
function storedRung(
  message: Pick<Parsed, "messageId" | "from" | "metadata">,
  contentHash: string,
  atMs: number,
  commit: string | undefined,
): GivenRung | undefined {
  const { messageId, from, metadata } = message;
  if (!asksReceipts(metadata)) return undefined;
  return { messageId, from, contentHash, rung: "stored", atMs, commit: commit ?? null, detail: null };
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
