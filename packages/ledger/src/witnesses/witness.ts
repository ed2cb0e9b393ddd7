import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import {
  type Checkpoint,
  isHash,
  isSeconds,
  isSignature,
  type SignedCheckpoint,
  signedCheckpointOf,
} from "@darkmatter/proof";

/** A parsed body, before any of it is believed. */
export type Body = { readonly [key: string]: Json };

/** Hashes of a consistency proof: a tree of 2^53 leaves needs at most two for each of its levels. */
export const PROOF_HASHES_MAX = 2 * 53;

/** What a log asks its witness: docs/proof.md, section 2. */
export interface WitnessRequest {
  /** Who says it is asking; found by the signature when it is left out. */
  readonly agentId: string | undefined;
  readonly checkpoint: SignedCheckpoint;
  readonly consistency: { readonly firstSize: number; readonly proof: readonly string[] } | null;
}

export function witnessRequestOf(body: Body): WitnessRequest | undefined {
  const agentId = optionalAgentId(body.agent_id);
  const checkpoint = isJsonObject(body.checkpoint) ? joined(body.checkpoint, body.server_sig) : undefined;
  const consistency = consistencyOf(body.consistency ?? null);
  if (agentId === "malformed" || !checkpoint || consistency === undefined) return undefined;
  return { agentId, checkpoint, consistency };
}

/** The body that asks. `consistency` is null for a witness that is not known to have signed anything. */
export function witnessRequestBody(
  agentId: string,
  signed: SignedCheckpoint,
  consistency: { readonly first_size: number; readonly proof: readonly string[] } | null,
): object {
  const { server_sig, position: _repeated, ...checkpoint } = signed;
  return { agent_id: agentId, checkpoint: checkpoint satisfies Checkpoint, server_sig, consistency };
}

function joined(envelope: JsonObject, serverSig: Json | undefined): SignedCheckpoint | undefined {
  if (Object.hasOwn(envelope, "server_sig") || Object.hasOwn(envelope, "position")) return undefined;
  return signedCheckpointOf({
    ...envelope,
    server_sig: serverSig ?? null,
    position: envelope.log_position ?? null,
  });
}

function consistencyOf(value: Json): WitnessRequest["consistency"] | undefined {
  if (value === null) return null;
  if (!isJsonObject(value)) return undefined;
  const { first_size: firstSize, proof } = value;
  if (!isSize(firstSize) || !Array.isArray(proof) || proof.length > PROOF_HASHES_MAX) return undefined;
  return proof.every(isHash) ? { firstSize, proof } : undefined;
}

function isSize(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

/** What a witness answers: a signature by its own key over the same bytes. */
export interface Testimony {
  readonly witnessId: string;
  readonly signature: string;
  readonly witnessedAt: string;
}

export function testimonyOf({ witness_id, witness_sig, witnessed_at }: Body): Testimony | undefined {
  if (typeof witness_id !== "string" || !isSignature(witness_sig) || !isSeconds(witnessed_at))
    return undefined;
  return { witnessId: witness_id, signature: witness_sig, witnessedAt: witnessed_at };
}

/** Two signed checkpoints, and who is said to have signed both. */
export interface Accusation {
  readonly agentId: string | undefined;
  readonly first: SignedCheckpoint;
  readonly second: SignedCheckpoint;
  /** Who says it is telling: nothing proves it, so it only spares that one the echo. */
  readonly from: string | undefined;
}

export function accusationOf(body: Body): Accusation | undefined {
  const agentId = optionalAgentId(body.agent_id);
  const from = optionalAgentId(body.from_agent_id);
  const first = signedCheckpointOf(body.first ?? null);
  const second = signedCheckpointOf(body.second ?? null);
  if (agentId === "malformed" || from === "malformed" || !first || !second) return undefined;
  return { agentId, first, second, from };
}

function optionalAgentId(value: Json | undefined): string | undefined | "malformed" {
  if (value === undefined || value === null) return undefined;
  return isHash(value) ? value : "malformed";
}
