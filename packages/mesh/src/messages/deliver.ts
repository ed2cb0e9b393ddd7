import { isoTime, type Json, type JsonObject, reasonOf } from "@darkmatter/core";
import { messageDigestText, messageText, signText } from "@darkmatter/identity";
import type { Write } from "@darkmatter/store";
import { type Connection, endpoint, speaks } from "../connections/connection.ts";
import { countDeclined, countSent } from "../connections/connections.store.ts";
import { DELIVERY_GAIN } from "../impressions/impression.ts";
import type { Impressions } from "../impressions/impressions.ts";
import {
  inParallel,
  mayHaveArrived,
  PARALLEL_CALLS_MAX,
  type Peers,
  refusalText,
  TIMEOUT_MS,
} from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** A message as it leaves, but for what each target gets of its own. */
export interface Outgoing {
  readonly messageId: string;
  readonly content: string;
  readonly webhook: string;
  readonly hopsRemaining: number;
}

/** A target, and the metadata it gets. */
export interface Copy {
  readonly peer: Connection;
  readonly metadata: JsonObject;
  /** Where this target sends what becomes of the message; as the message says when absent. */
  readonly webhook?: string;
}

export interface Delivery {
  readonly peer: Connection;
  /** What went wrong; `undefined` when the peer has the message. */
  readonly error: string | undefined;
  /** Bytes may have reached the peer, whatever it made of them. */
  readonly left: boolean;
  /** What it answered as its receipt, not yet believed. */
  readonly receipt?: Json | undefined;
}

/** Bringing a message to connected agents. */
export interface Deliverer {
  /**
   * Posts to every target, side by side. Never rejects. `repeated`: an earlier attempt may have arrived, so that a
   * peer's 409 means it has it.
   */
  deliver(message: Outgoing, copies: readonly Copy[], repeated: boolean): Promise<Delivery[]>;
  /** Counts deliveries and lets trust follow them (mesh.md 14). */
  settle(tx: Write, deliveries: readonly Delivery[]): Promise<void>;
}

export function createDeliverer(
  { signer, clock }: MeshPorts,
  peers: Peers,
  impressions: Impressions,
): Deliverer {
  const self = signer.agentId;

  /** Signed once for all targets: the old signature covers nothing that differs between them. */
  function signed({ messageId, content }: Outgoing) {
    const timestamp = isoTime(clock.now());
    const text = messageText({ from: self, messageId, timestamp, content });
    return { timestamp, signature: signText(signer, text) };
  }

  /** Peers that did not announce digest/1 get the bytes of the old wire, exactly (mesh.md 22). */
  function envelope(message: Outgoing, { timestamp, signature }: ReturnType<typeof signed>, copy: Copy) {
    const { peer, metadata, webhook = message.webhook } = copy;
    const body = {
      message_id: message.messageId,
      content: message.content,
      webhook,
      hops_remaining: message.hopsRemaining,
      metadata,
      timestamp,
      from_agent_id: self,
      from_public_key_hex: self,
      signature_hex: signature,
    };
    if (!speaks(peer, "digest/1")) return body;
    const to = peer.agentId;
    const text = messageDigestText({ ...message, webhook, from: self, timestamp, to, metadata });
    return { ...body, to_agent_id: to, dm_sig: signText(signer, text) };
  }

  async function post(peer: Connection, body: object, repeated: boolean): Promise<Delivery> {
    const url = endpoint(peer.url, "message");
    try {
      const answer = await peers.post({ url, timeoutMs: TIMEOUT_MS.post, reach: "private" }, body);
      const { receipt } = answer.body;
      if (answer.status < 400 || (answer.status === 409 && repeated)) {
        return { peer, error: undefined, left: true, receipt };
      }
      return { peer, error: refusalText(answer), left: true };
    } catch (error) {
      return { peer, error: reasonOf(error), left: mayHaveArrived(error) };
    }
  }

  return {
    async deliver(message, copies, repeated) {
      const signature = signed(message);
      return inParallel(copies, PARALLEL_CALLS_MAX, (copy) =>
        post(copy.peer, envelope(message, signature, copy), repeated),
      );
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
