import type { JsonObject } from "@darkmatter/core";
import {
  inclusionProof,
  prefixed,
  type ReadNode,
  rootAt,
  type SignedCheckpoint,
  spkiPem,
  verifyInclusion,
} from "@darkmatter/proof";
import {
  type Commit,
  type CommitPayload,
  envelopeOf,
  envelopeTextOf,
  isSound,
  KEY_ID,
  payloadOf,
} from "../commits/commit.ts";
import { ledgerError } from "../errors.ts";
import { millisecondsTime, secondsTime } from "../times.ts";

/** The JSON Schema of ledger.md 1.2, by the name it has wherever it is served. */
const SCHEMA = "/schema/context-passport/v1.json";

/** What all passports of one export have in common. */
export interface PassportFacts {
  readonly agentId: string;
  readonly agentName: string;
  /** Id of the chain's first commit. */
  readonly rootId: string;
  readonly assurance: "L1" | "L2";
  readonly exportedAt: string;
}

/** A commit, the one before it in its chain, and what it says. */
export interface Step {
  readonly commit: Commit;
  readonly parent: Commit | undefined;
  readonly payload: CommitPayload;
}

/** A commit to be shown as proof. @throws LEDGER_DAMAGED for one that is not what its hashes say */
export function soundStep(commit: Commit, parent: Commit | undefined, agentId: string): Step {
  if (!isSound(commit, parent, agentId))
    throw ledgerError("LEDGER_DAMAGED", `The commit ${commit.id} is not what its hashes say.`);
  return { commit, parent, payload: payloadOf(commit) };
}

/** A commit in the ledger's format 1.0 (docs/proof.md section 3). */
export function passportOf({ commit, parent, payload }: Step, facts: PassportFacts): JsonObject {
  const envelope = envelopeOf(facts.agentId, commit, parent);
  return {
    $schema: SCHEMA,
    schema_version: "1.0",
    id: commit.id,
    parent_id: parent?.id ?? null,
    trace_id: commit.trace,
    branch_key: "main",
    created_by: {
      agent_id: facts.agentId,
      agent_name: facts.agentName,
      role: null,
      provider: null,
      model: null,
    },
    event: {
      type: "commit",
      label: payload.act,
      to_agent_id: payload.peer,
      to_agent_name: null,
      timestamp: envelope.timestamp,
    },
    payload,
    integrity: {
      payload_hash: prefixed(commit.payloadHash),
      integrity_hash: prefixed(commit.chainHash),
      parent_hash: parent ? prefixed(parent.chainHash) : null,
      verification_status: "valid",
      verification_reason: null,
      verified_at: facts.exportedAt,
    },
    lineage: { fork_of: null, fork_point: null, lineage_root: facts.rootId },
    created_at: millisecondsTime(commit.acceptedMs),
    assurance_level: facts.assurance,
    completeness_claim: null,
    integrity_v2: {
      payload_hash: prefixed(commit.payloadHash),
      integrity_hash: prefixed(commit.integrityHash),
      parent_integrity_hash: envelope.parent_integrity_hash,
      key_id: KEY_ID,
      envelope: { ...envelope },
      client_match: null,
      signature_status: "valid",
    },
  };
}

/** What a commit has beside its passport: its signature and its place in the log. */
export async function flatMembersOf(
  { commit, parent }: Step,
  facts: PassportFacts,
  sign: (text: string) => string,
  readNode: ReadNode,
  checkpoint: SignedCheckpoint,
): Promise<JsonObject> {
  const envelope = envelopeOf(facts.agentId, commit, parent);
  return {
    agent_id: facts.agentId,
    key_id: KEY_ID,
    timestamp: envelope.timestamp,
    payload_hash: prefixed(commit.payloadHash),
    integrity_hash: prefixed(commit.integrityHash),
    parent_integrity_hash: envelope.parent_integrity_hash,
    agent_signature: sign(envelopeTextOf(facts.agentId, commit, parent)),
    agent_public_key: spkiPem(facts.agentId),
    _proof: await logProof(commit, facts, readNode, checkpoint),
  };
}

async function logProof(
  { id, position, leaf, acceptedMs }: Commit,
  { assurance }: PassportFacts,
  readNode: ReadNode,
  checkpoint: SignedCheckpoint,
): Promise<JsonObject> {
  const inclusion = async (size: number) => ({
    leaf_index: position,
    tree_size: size,
    proof: (await inclusionProof(readNode, position, size)).map((step) => ({ ...step })),
  });
  const size = position + 1;
  const covered = await inclusion(checkpoint.tree_size);
  const claim = { leaf, index: position, size: checkpoint.tree_size, root: checkpoint.tree_root };
  if (!verifyInclusion({ ...claim, proof: covered.proof }))
    throw ledgerError("LEDGER_DAMAGED", `The tree does not lead from the commit ${id} to the checkpoint.`);
  return {
    log_position: position,
    leaf_hash: leaf,
    tree_root: await rootAt(readNode, size),
    tree_size: size,
    accepted_at: secondsTime(acceptedMs),
    client_timestamp: secondsTime(acceptedMs),
    inclusion_proof: await inclusion(size),
    proof_status: assurance === "L2" ? "checkpointed_witnessed" : "checkpointed",
    pubkey_url: null,
    checkpoint_url: null,
    verify_url: null,
    checkpoint_inclusion: {
      checkpoint_id: checkpoint.checkpoint_id,
      tree_root: checkpoint.tree_root,
      ...covered,
    },
  };
}
