import { isoTime, type JsonObject, newId } from "@darkmatter/core";
import { once, type Read } from "@darkmatter/store";
import type { Connection } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { Impressions } from "../impressions/impressions.ts";
import type { MeshPorts } from "../ports.ts";
import { webhookUrl } from "../webhooks/webhook.ts";
import type { Deliverer, Delivery } from "./deliver.ts";
import { isBroadcast, requireSendable, type SentMessage } from "./message.ts";
import { addRoutedTo, insertSent, readSent } from "./sent.store.ts";

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
  readonly deliveries: readonly Delivery[];
}

/** Sending new messages. */
export interface Sending {
  /**
   * Writes the message down, then brings it to its targets. `callId` makes a repeated call the same message.
   * Throws NOT_CONNECTED for a target we are not connected to, TOO_LARGE for content over the limit.
   */
  send(message: NewMessage, callId: string | undefined): Promise<SendOutcome>;
}

export function createSending(
  ports: MeshPorts,
  identity: Identity,
  connections: Connections,
  impressions: Impressions,
  deliverer: Deliverer,
  changed: () => void,
): Sending {
  const { db, clock, random, signer, journal } = ports;
  /** Messages on their way now. */
  const bringing = new Map<string, Promise<SendOutcome>>();

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

  /** The record is on disk before the first byte leaves: the receiver calls back before it answers. */
  function record(message: NewMessage, callId: string | undefined): Promise<string> {
    return db.write((tx) =>
      once(tx, callId, async () => {
        const targets = (await chosen(tx, message)).map((peer) => peer.agentId);
        const messageId = newId("msg", random);
        const createdAt = isoTime(clock.now());
        const { content, metadata } = message;
        await insertSent(tx, {
          messageId,
          content,
          status: "active",
          initialHops: message.hopsRemaining,
          targets,
          routedTo: [],
          createdAt,
          webhook: webhookUrl(identity.base(), messageId),
          metadata,
        });
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
        for (const peer of targets) {
          await journal.append(tx, {
            act: "message.sent",
            trace: messageId,
            peer,
            messageId,
            fields: { content, metadata },
          });
        }
        tx.afterCommit(changed);
        return messageId;
      }),
    );
  }

  async function requireSent(tx: Read, messageId: string): Promise<SentMessage> {
    const sent = await readSent(tx, messageId);
    if (!sent) throw meshError("NOT_FOUND", `No sent message with ID '${messageId}'`);
    return sent;
  }

  async function bring(messageId: string, callId: string | undefined): Promise<SendOutcome> {
    const sent = await requireSent(db, messageId);
    // A call that is repeated after a crash goes on where the first one ended.
    const missing = sent.targets.filter((agentId) => !sent.routedTo.includes(agentId));
    const peers = (await Promise.all(missing.map((agentId) => connections.get(db, agentId)))).filter(
      (peer) => peer !== undefined,
    );
    const outgoing = { ...sent, hopsRemaining: sent.initialHops };
    const deliveries = await deliverer.deliver(outgoing, peers, callId !== undefined);
    const arrived = deliveries.filter(({ error }) => error === undefined).map(({ peer }) => peer.agentId);
    await db.write(async (tx) => {
      await addRoutedTo(tx, messageId, arrived);
      await deliverer.settle(tx, deliveries);
      tx.afterCommit(changed);
    });
    return { sent: await requireSent(db, messageId), deliveries };
  }

  return {
    async send(message, callId) {
      requireSendable(message.content, message.metadata);
      const messageId = await record(message, callId);
      // A call that is repeated while the first one runs hears how that ends.
      const running = bringing.get(messageId);
      if (running) return running;
      const started = bring(messageId, callId).finally(() => bringing.delete(messageId));
      bringing.set(messageId, started);
      return started;
    },
  };
}

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
