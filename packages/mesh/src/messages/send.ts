import { isoTime, type JsonObject, newId } from "@darkmatter/core";
import { once, type Read, type Write } from "@darkmatter/store";
import type { Addresses } from "../addresses/addresses.ts";
import { type Connection, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import type { Impressions } from "../impressions/impressions.ts";
import type { MeshPorts } from "../ports.ts";
import type { QueuedCopy } from "./copy.ts";
import { isBroadcast, metadataFor, requireSendable, type SentCopy, type SentMessage } from "./message.ts";
import type { Outbox } from "./outbox.ts";
import { insertSent, readSent } from "./sent.store.ts";

export interface NewMessage {
  readonly content: string;
  readonly metadata: JsonObject;
  readonly hopsRemaining: number;
  /** Whom it is for; empty: every connection, or for a broadcast those we trust enough. */
  readonly targets: readonly string[];
  /** For a broadcast: the least score a peer must have. */
  readonly trustMin: number;
}

export interface SendOutcome {
  readonly sent: SentMessage;
  /** How far each of its copies is, as far as could be told within a few seconds. */
  readonly copies: readonly QueuedCopy[];
  /** Agents for whom so much waits already that it was not written down for them. */
  readonly full: readonly string[];
}

/** Sending new messages. */
export interface Sending {
  /**
   * Writes the message down, then brings it to its targets; what cannot be brought now waits. `callId` makes a repeated
   * call the same message. Throws NOT_CONNECTED for a target we are not connected to, TOO_LARGE for content over the
   * limit, QUEUE_FULL when too much waits for every target.
   */
  send(message: NewMessage, callId: string | undefined): Promise<SendOutcome>;
}

export function createSending(
  ports: MeshPorts,
  addresses: Addresses,
  connections: Connections,
  impressions: Impressions,
  outbox: Outbox,
  changed: () => void,
): Sending {
  const { db, clock, random, signer, journal } = ports;

  async function chosen(tx: Read, message: NewMessage): Promise<Connection[]> {
    if (message.targets.length > 0) {
      return Promise.all(
        [...new Set(message.targets)].map((agentId) => requireConnection(tx, connections, agentId)),
      );
    }
    const all = await connections.all(tx);
    if (all.length === 0) throw meshError("NO_CONNECTIONS");
    if (!isBroadcast(message.metadata)) return all;
    const scores = await Promise.all(all.map((peer) => impressions.scoreOf(tx, peer.agentId)));
    return all.filter((_, at) => (scores[at] ?? 0) >= message.trustMin);
  }

  /** One commit for each target: what it gets differs, and its ledger names its own. */
  async function journalled(
    tx: Write,
    { content, metadata }: NewMessage,
    messageId: string,
    peers: readonly Connection[],
  ): Promise<Record<string, SentCopy>> {
    const copies: Record<string, SentCopy> = {};
    for (const peer of peers) {
      const copy = { receipts: speaks(peer, "receipts/1"), commit: null };
      const { commit: _, ...told } = metadataFor(metadata, copy, signer.agentId);
      const hash = await journal.append(tx, {
        act: "message.sent",
        trace: messageId,
        peer: peer.agentId,
        messageId,
        fields: { content, metadata: told },
      });
      copies[peer.agentId] = { ...copy, commit: speaks(peer, "journal/1") ? (hash ?? null) : null };
    }
    return copies;
  }

  /** The record is on disk before the first byte leaves: the receiver calls back before it answers. */
  function record(message: NewMessage, callId: string | undefined): Promise<Recorded> {
    return db.write((tx) =>
      once(tx, callId, async (): Promise<Recorded> => {
        const { peers, full } = await outbox.room(tx, await chosen(tx, message));
        const targets = peers.map((peer) => peer.agentId);
        const messageId = newId("msg", random);
        const createdAt = isoTime(clock.now());
        const { content, metadata } = message;
        const copies = await journalled(tx, message, messageId, peers);
        await insertSent(tx, {
          messageId,
          content,
          status: "active",
          initialHops: message.hopsRemaining,
          targets,
          routedTo: [],
          createdAt,
          webhook: addresses.webhookFor(peers.length === 1 ? peers[0] : undefined, messageId),
          metadata,
          copies,
        });
        await outbox.add(tx, keysOf(messageId, targets));
        await remember(tx, {
          messageId,
          content,
          from: signer.agentId,
          to: targets,
          at: createdAt,
          entryType: isBroadcast(metadata) ? "broadcast" : "direct",
          direction: "outbound",
          trust: 0,
          metadata,
        });
        tx.afterCommit(changed);
        return { messageId, targets, full };
      }),
    );
  }

  async function requireSent(tx: Read, messageId: string): Promise<SentMessage> {
    const sent = await readSent(tx, messageId);
    if (!sent) throw meshError("NOT_FOUND", `No sent message with ID '${messageId}'`);
    return sent;
  }

  return {
    async send(message, callId) {
      requireSendable(message.content, message.metadata);
      const { messageId, targets, full } = await record(message, callId);
      // A call that is repeated after a crash, or while the first one runs, hears how far the same copies are.
      const copies = await outbox.bring(keysOf(messageId, targets));
      return { sent: await requireSent(db, messageId), copies, full };
    },
  };
}

/** What a call made: kept under its id. */
type Recorded = { readonly messageId: string; readonly targets: string[]; readonly full: string[] };

const keysOf = (messageId: string, targets: readonly string[]) =>
  targets.map((agentId) => ({ messageId, agentId, forwarded: false }));

/** The connection to an agent. Throws NOT_CONNECTED. */
export async function requireConnection(
  tx: Read,
  connections: Connections,
  agentId: string,
): Promise<Connection> {
  const peer = await connections.get(tx, agentId);
  if (!peer) throw meshError("NOT_CONNECTED", `Not connected to agent '${agentId.slice(0, 64)}'.`);
  return peer;
}
