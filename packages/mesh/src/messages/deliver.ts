import { isoTime, type JsonObject, reasonOf } from "@darkmatter/core";
import { messageDigestText, messageText, signText } from "@darkmatter/identity";
import type { Write } from "@darkmatter/store";
import { type Connection, endpoint, speaks } from "../connections/connection.ts";
import { countDeclined, countSent } from "../connections/connections.store.ts";
import { DELIVERY_GAIN } from "../impressions/impression.ts";
import type { Impressions } from "../impressions/impressions.ts";
import { inParallel, PARALLEL_CALLS_MAX, type Peers, refusalText, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** A message as it leaves, the same for every target but for `dm_sig`. */
export interface Outgoing {
  readonly messageId: string;
  readonly content: string;
  readonly webhook: string;
  readonly hopsRemaining: number;
  readonly metadata: JsonObject;
}

export interface Delivery {
  readonly peer: Connection;
  /** What went wrong; `undefined` when the peer has the message. */
  readonly error: string | undefined;
}

/** Bringing a message to connected agents. */
export interface Deliverer {
  /**
   * Posts to every target, side by side. Never rejects. `repeated`: an earlier attempt may have arrived, so that a
   * peer's 409 means it has it.
   */
  deliver(message: Outgoing, targets: readonly Connection[], repeated: boolean): Promise<Delivery[]>;
  /** Counts deliveries and lets trust follow them (mesh.md 14). */
  settle(tx: Write, deliveries: readonly Delivery[]): Promise<void>;
}

export function createDeliverer(
  { signer, clock }: MeshPorts,
  peers: Peers,
  impressions: Impressions,
): Deliverer {
  const self = signer.agentId;

  function envelope(message: Outgoing): Record<string, unknown> & { timestamp: string } {
    const { messageId, content } = message;
    const timestamp = isoTime(clock.now());
    return {
      message_id: messageId,
      content,
      webhook: message.webhook,
      hops_remaining: message.hopsRemaining,
      metadata: message.metadata,
      timestamp,
      from_agent_id: self,
      from_public_key_hex: self,
      signature_hex: signText(signer, messageText({ from: self, messageId, timestamp, content })),
    };
  }

  /** Peers that did not announce digest/1 get the bytes of the old wire, exactly (mesh.md 22). */
  function addressed(body: ReturnType<typeof envelope>, message: Outgoing, peer: Connection): object {
    if (!speaks(peer, "digest/1")) return body;
    const to = peer.agentId;
    const text = messageDigestText({ ...message, from: self, timestamp: body.timestamp, to });
    return { ...body, to_agent_id: to, dm_sig: signText(signer, text) };
  }

  async function post(peer: Connection, body: object, repeated: boolean): Promise<string | undefined> {
    const url = endpoint(peer.url, "message");
    try {
      const answer = await peers.post({ url, timeoutMs: TIMEOUT_MS.post, reach: "private" }, body);
      if (answer.status < 400 || (answer.status === 409 && repeated)) return undefined;
      return refusalText(answer);
    } catch (error) {
      return reasonOf(error);
    }
  }

  return {
    async deliver(message, targets, repeated) {
      const body = envelope(message);
      return inParallel(targets, PARALLEL_CALLS_MAX, async (peer) => ({
        peer,
        error: await post(peer, addressed(body, message, peer), repeated),
      }));
    },

    async settle(tx, deliveries) {
      for (const { peer, error } of deliveries) {
        if (error !== undefined) await countDeclined(tx, peer.agentId);
        else {
          await countSent(tx, peer.agentId, isoTime(clock.now()));
          await impressions.nudge(tx, peer.agentId, DELIVERY_GAIN);
        }
      }
    },
  };
}
