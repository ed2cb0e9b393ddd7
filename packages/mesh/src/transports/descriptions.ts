import { isJsonObject, type JsonObject, utf8 } from "@darkmatter/core";
import { type Signer, sdpText, signText, type Verifier } from "@darkmatter/identity";
import { SDP_BYTES_MAX } from "@darkmatter/net";
import { meshError } from "../errors.ts";
import { agentIdField, type Body, textField } from "../fields.ts";

/** An offer as it came, its signature not yet looked at. */
export interface Offer {
  readonly agentId: string;
  readonly sdp: string;
  readonly signature: string | undefined;
  readonly key: string | undefined;
}

/** Our offer. The two halves of the first generation disagree on names: both get theirs (mesh.md 10.1). */
export function offerData(signer: Signer, sdp: string): JsonObject {
  const { agentId } = signer;
  const names = { from_agent_id: agentId, sdp_offer: sdp, agent_id: agentId, sdp, type: "offer" };
  return { ...names, ...signed(signer, sdp) };
}

export function answerData(signer: Signer, sdp: string): JsonObject {
  const { agentId } = signer;
  return { success: true, agent_id: agentId, sdp_answer: sdp, sdp, type: "answer", ...signed(signer, sdp) };
}

function signed(signer: Signer, sdp: string): JsonObject {
  const { agentId } = signer;
  return { sdp_signature_hex: signText(signer, sdpText({ agentId, sdp })), public_key_hex: agentId };
}

/** Reads an offer under either set of names. Throws BAD_REQUEST, TOO_LARGE. */
export function readOffer(data: Body): Offer {
  const agentId = same(agentIdField(data, "from_agent_id"), agentIdField(data, "agent_id"));
  const sdp = same(textField(data, "sdp_offer"), textField(data, "sdp"));
  if (!agentId || !sdp) throw meshError("BAD_REQUEST", "Missing from_agent_id or sdp_offer");
  if (isTooLong(sdp)) throw meshError("TOO_LARGE", `SDP exceeds ${SDP_BYTES_MAX} bytes`);
  return {
    agentId,
    sdp,
    signature: textField(data, "sdp_signature_hex"),
    key: textField(data, "public_key_hex")?.toLowerCase(),
  };
}

function same(one: string | undefined, other: string | undefined): string | undefined {
  if (one && other && one !== other)
    throw meshError("BAD_REQUEST", "The offer's fields contradict each other");
  return one || other;
}

const isTooLong = (sdp: string) => sdp.length > SDP_BYTES_MAX || utf8(sdp).length > SDP_BYTES_MAX;

/** Whoever carried it, an offer is its author's by its signature alone (mesh.md S8). Throws FORBIDDEN. */
export async function requireSigned(
  verifier: Verifier,
  { agentId, sdp, signature, key }: Offer,
): Promise<void> {
  if (!signature) throw meshError("FORBIDDEN", "SDP signature required");
  if (key !== undefined && key !== agentId) throw meshError("FORBIDDEN", "Public key mismatch");
  if (!(await isSignedBy(verifier, agentId, sdp, signature))) {
    throw meshError("FORBIDDEN", "Invalid SDP signature");
  }
}

async function isSignedBy(
  verifier: Verifier,
  agentId: string,
  sdp: string,
  signature: string,
): Promise<boolean> {
  const text = sdpText({ agentId, sdp });
  return text !== undefined && verifier.verify(agentId, text, signature);
}

/** An answer that may be used. */
export interface Answer {
  readonly sdp: string;
  /** Signed by the agent it is of. */
  readonly proven: boolean;
}

/**
 * Reads the answer of `agentId`; `undefined` for one that is not its own. One without a signature is taken only where
 * `mayBeUnsigned`: of a peer of the first generation, from the very URL it gave.
 */
export async function readAnswer(
  verifier: Verifier,
  agentId: string,
  data: unknown,
  mayBeUnsigned: boolean,
): Promise<Answer | undefined> {
  if (!isJsonObject(data)) return undefined;
  const { sdp_answer: long, sdp = long, sdp_signature_hex: signature, public_key_hex: key } = data;
  if (typeof sdp !== "string" || sdp === "" || isTooLong(sdp)) return undefined;
  if (
    [data.agent_id, data.from_agent_id, key].some((id) => id !== undefined && id !== null && id !== agentId)
  ) {
    return undefined;
  }
  if (signature === undefined || signature === null)
    return mayBeUnsigned ? { sdp, proven: false } : undefined;
  const proven = typeof signature === "string" && (await isSignedBy(verifier, agentId, sdp, signature));
  return proven ? { sdp, proven } : undefined;
}
