import { isoTime, type Json, type JsonObject, reasonOf } from "@darkmatter/core";
import { messageDigestText, messageText, signText } from "@darkmatter/identity";
import { type Connection, speaks } from "../connections/connection.ts";
import { type PeerAnswer, refusalText, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Outcome, Transports, Way } from "../transports/transport.ts";

/** A message as it leaves, but for what each target gets of its own. */
export interface Outgoing {
  readonly messageId: string;
  readonly content: string;
  readonly webhook: string;
  readonly hopsRemaining: number;
}

/** What became of one attempt to bring a message to an agent. */
export type Delivery =
  /** It says that it has the message, `again` that it had it before; its receipt is not yet believed. */
  | { readonly kind: "took"; readonly way: Way; readonly again: boolean; readonly receipt: Json | undefined }
  | { readonly kind: "refused"; readonly way: Way; readonly error: string }
  /** It refuses for now. `busy`: whatever else we have for it, too. */
  | { readonly kind: "later"; readonly way: Way; readonly error: string; readonly busy: boolean }
  /** It lies with a relay, or left by a way without answers. */
  | { readonly kind: "relayed"; readonly way: Way }
  /** `left`: bytes may have reached it all the same. */
  | { readonly kind: "unreached"; readonly error: string; readonly left: boolean };

/** Bringing a message to a connected agent, once. */
export interface Deliverer {
  /**
   * Signs anew and sends by whatever way works. Rejects with ABORTED when this node stops meanwhile. `repeated`: an
   * earlier attempt may have arrived, so that 409 means that the peer has it.
   */
  deliver(
    message: Outgoing,
    to: { readonly peer: Connection; readonly metadata: JsonObject },
    repeated: boolean,
  ): Promise<Delivery>;
}

/** Answers that come of the moment, not of the message. */
const BUSY = [429, 503];

export function createDeliverer({ signer, clock }: MeshPorts, transports: Transports): Deliverer {
  const self = signer.agentId;

  /** Peers that did not announce digest/1 get the bytes of the old wire, exactly (mesh.md 22). */
  function envelope(message: Outgoing, peer: Connection, metadata: JsonObject): object {
    const { messageId, content } = message;
    const timestamp = isoTime(clock.now());
    const body = {
      message_id: messageId,
      content,
      webhook: message.webhook,
      hops_remaining: message.hopsRemaining,
      metadata,
      timestamp,
      from_agent_id: self,
      from_public_key_hex: self,
      signature_hex: signText(signer, messageText({ from: self, messageId, timestamp, content })),
    };
    if (!speaks(peer, "digest/1")) return body;
    const to = peer.agentId;
    const text = messageDigestText({ ...message, from: self, timestamp, to, metadata });
    return { ...body, to_agent_id: to, dm_sig: signText(signer, text) };
  }

  /** Who answers where the peer was, if not the peer: another program, or a node that got its port. */
  async function whoElse(peer: Connection, { status, body }: PeerAnswer): Promise<string | undefined> {
    // Every refusal of a node says why (mesh.md 4): a web server's, a printer's or a hotel's page is none.
    const isNodes = typeof body.error === "string";
    if (isNodes && status !== 403 && status !== 404) return undefined;
    const request = { method: "GET", path: "status", timeoutMs: TIMEOUT_MS.impression } as const;
    const outcome = await transports.call(peer, request);
    const id = outcome.kind === "answered" ? outcome.answer.body.agent_id : undefined;
    if (typeof id === "string") return id === peer.agentId ? undefined : "another agent";
    return isNodes ? undefined : "something that is no agent";
  }

  async function judged(
    peer: Connection,
    { way, answer, repeated: again }: Outcome & { kind: "answered" },
    repeated: boolean,
  ): Promise<Delivery> {
    const { status } = answer;
    if (status < 400 || (status === 409 && (repeated || again))) {
      return { kind: "took", way, again: status === 409, receipt: answer.body.receipt };
    }
    const error = refusalText(answer);
    // Those of the first generation remember the id of what they refuse, and would answer 409 to a repeat (S2).
    if (!speaks(peer, "ids25h/1")) return { kind: "refused", way, error };
    if (status === 429 || status >= 500) return { kind: "later", way, error, busy: BUSY.includes(status) };
    const other = await whoElse(peer, answer);
    if (other) return { kind: "unreached", error: `${other} answers at its address`, left: false };
    return { kind: "refused", way, error };
  }

  return {
    async deliver(message, { peer, metadata }, repeated) {
      const body = envelope(message, peer, metadata);
      const request = { method: "POST", path: "message", body, timeoutMs: TIMEOUT_MS.post } as const;
      const outcome = await transports.call(peer, request);
      if (outcome.kind === "answered") return judged(peer, outcome, repeated);
      if (outcome.kind === "unconfirmed") return { kind: "relayed", way: outcome.way };
      const error = outcome.error === undefined ? "no way to it is known" : reasonOf(outcome.error);
      return { kind: "unreached", error, left: outcome.left };
    },
  };
}
