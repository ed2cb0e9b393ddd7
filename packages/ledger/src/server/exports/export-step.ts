import { canon1OfText } from "@darkmatter/core";
import {
  envelopeText,
  inclusionProof,
  prefixed,
  type ReadNode,
  rootAt,
  type SignedCheckpoint,
  spkiPem,
} from "@darkmatter/proof";
import { secondsTime } from "../../times.ts";
import type { ReadableStep } from "../chains/chain-step.ts";
import type { CoveringCheckpoint } from "../chains/signed-tree.ts";
import type { StoredCommit } from "../commits/commit.ts";
import { envelopeOf } from "../commits/passport.ts";
import { rawOrNull } from "../json-text.ts";
import { CanonicalJson } from "./canonical-text.ts";

/** What `commits` has of a step beside its passport (docs/proof.md section 3). */
export async function flatMembers(
  { commit, found: { signature } }: ReadableStep,
  readNode: ReadNode,
  covering: CoveringCheckpoint | undefined,
  baseUrl: string,
) {
  const { claims } = commit;
  const stored = envelopeText(envelopeOf(commit));
  const raw = (text: string | undefined) => (text === undefined ? undefined : rawOrNull(text));
  const envelope = raw(claims.envelope);
  const differs = envelope && canon1OfText(envelope.text) !== stored;
  return {
    agent_id: commit.agent,
    key_id: commit.keyId,
    timestamp: commit.timestamp,
    payload_hash: prefixed(commit.payloadHash),
    integrity_hash: prefixed(commit.integrityHash),
    parent_integrity_hash: commit.parentIntegrityHash ?? "root",
    // A signature over another envelope than the stored one proves nothing of this commit.
    agent_signature: signature.publicKey === undefined ? undefined : claims.agentSignature,
    agent_public_key: signature.publicKey === undefined ? undefined : spkiPem(signature.publicKey),
    client_envelope: differs ? envelope : undefined,
    client_attestation: raw(claims.attestation),
    metadata: raw(claims.metadata),
    _proof: await logProof(commit, readNode, covering, baseUrl),
  };
}

async function logProof(
  { id, position, leaf, acceptedMs, timestamp }: StoredCommit,
  readNode: ReadNode,
  covering: CoveringCheckpoint | undefined,
  baseUrl: string,
) {
  const size = position + 1;
  return {
    log_position: position,
    leaf_hash: leaf,
    tree_root: await rootAt(readNode, size),
    tree_size: size,
    accepted_at: secondsTime(acceptedMs),
    client_timestamp: timestamp,
    inclusion_proof: new CanonicalJson(JSON.stringify(await inclusion(readNode, position, size))),
    proof_status: statusOf(covering),
    pubkey_url: `${baseUrl}/api/log/pubkey`,
    checkpoint_url: `${baseUrl}/api/log/checkpoint`,
    verify_url: `${baseUrl}/api/log/proof/${id}`,
    checkpoint_inclusion: covering && (await checkpointInclusion(readNode, position, covering.checkpoint)),
  };
}

// Most of an export is proofs: their members stand in the order of their names, which is canon-1 as it is.

async function checkpointInclusion(
  readNode: ReadNode,
  position: number,
  { checkpoint_id, tree_root, tree_size }: SignedCheckpoint,
): Promise<CanonicalJson> {
  const { leaf_index, proof } = await inclusion(readNode, position, tree_size);
  return new CanonicalJson(JSON.stringify({ checkpoint_id, leaf_index, proof, tree_root, tree_size }));
}

async function inclusion(readNode: ReadNode, position: number, size: number) {
  const proof = await inclusionProof(readNode, position, size);
  return {
    leaf_index: position,
    proof: proof.map(({ direction, hash }) => ({ direction, hash })),
    tree_size: size,
  };
}

function statusOf(covering: CoveringCheckpoint | undefined) {
  if (!covering) return "included";
  return covering.signatures.length > 0 ? "checkpointed_witnessed" : "checkpointed";
}

/** The nodes that `flatMembers` reads beside those of the walk itself. */
export async function planOwnTree(readNode: ReadNode, position: number): Promise<void> {
  await rootAt(readNode, position + 1);
  await inclusionProof(readNode, position, position + 1);
}
