import type { ExactObject } from "@darkmatter/core";
import type { InclusionStep } from "../merkle.ts";
import { commitId, hash, hashOrRoot, pemKey, prefixedHash, seconds, signature } from "./forms.ts";
import {
  anObject,
  closedObject,
  constant,
  count,
  flag,
  ifThere,
  listOf,
  Mismatch,
  oneOf,
  openObject,
  optional,
  orNull,
  type Read,
  type Reads,
  text,
} from "./reader.ts";

/** What the check takes from a passport (docs/proof.md section 3). Hashes of `integrity` are prefixed scheme 1. */
export interface Passport {
  readonly id: string;
  readonly parent_id: string | null;
  readonly trace_id: string | null;
  readonly created_by: { readonly agent_id: string; readonly agent_name: string };
  readonly payload: ExactObject | null;
  readonly integrity: {
    readonly payload_hash: string;
    readonly integrity_hash: string;
    readonly parent_hash: string | null;
  };
  readonly lineage: { readonly lineage_root: string | null };
  readonly assurance_level: "L1" | "L2" | "L3";
  readonly completeness_claim: boolean | null;
  readonly integrity_v2: {
    readonly payload_hash: string;
    readonly integrity_hash: string;
    readonly parent_integrity_hash: string;
    readonly key_id: string;
    readonly envelope: ExactObject;
  };
}

/** The members that only `commits` have. `payload_hash` and `integrity_hash` (scheme 2) are prefixed. */
export interface FlatMembers {
  readonly agent_id: string;
  readonly key_id: string;
  readonly timestamp: string;
  readonly payload_hash: string;
  readonly integrity_hash: string;
  readonly parent_integrity_hash: string;
  readonly agent_signature: string | undefined;
  /** Hex. */
  readonly agent_public_key: string | undefined;
  readonly client_envelope: ExactObject | undefined;
  readonly client_attestation: ExactObject | undefined;
  readonly metadata: ExactObject | undefined;
  readonly _proof: LogProof;
}

export interface LogProof {
  readonly log_position: number;
  readonly leaf_hash: string;
  readonly tree_root: string;
  readonly tree_size: number;
  readonly accepted_at: string;
  readonly inclusion_proof: InclusionMembers;
  readonly checkpoint_inclusion:
    | (InclusionMembers & { readonly checkpoint_id: string; readonly tree_root: string })
    | undefined;
}

interface InclusionMembers {
  readonly leaf_index: number;
  readonly tree_size: number;
  readonly proof: readonly InclusionStep[];
}

/** The payload of a node's commit (section 1). */
export interface NodePayload {
  readonly act: string;
  readonly peer: string | null;
  readonly message_id: string | undefined;
  readonly peer_commit: string | undefined;
  /** Who did it in the agent's place, and its signature over the hash of the payload without this member. */
  readonly delegate:
    | { readonly public_key: string; readonly grant: string; readonly sig: string }
    | undefined;
  /** Commitments by the names of their fields. */
  readonly fields: ExactObject;
}

const createdBy = openObject({
  agent_id: text,
  agent_name: text,
  role: orNull(text),
  provider: orNull(text),
  model: orNull(text),
});

const integrity = openObject({
  payload_hash: prefixedHash,
  integrity_hash: prefixedHash,
  parent_hash: orNull(prefixedHash),
  verification_status: text,
  verification_reason: orNull(text),
  verified_at: orNull(text),
});

const lineage = openObject({
  fork_of: orNull(text),
  fork_point: orNull(text),
  lineage_root: orNull(text),
});

const envelope = openObject({
  agent_id: text,
  key_id: text,
  parent_integrity_hash: hashOrRoot,
  payload_hash: hash,
  schema_version: constant("2"),
  timestamp: seconds,
});

/** Read for its form; what is hashed is the object as it stands. */
const asItStands =
  (read: Read<unknown>): Read<ExactObject> =>
  (value) => {
    read(value);
    return anObject(value);
  };

const passportMembers = {
  $schema: text,
  schema_version: constant("1.0"),
  id: commitId,
  parent_id: orNull(commitId),
  trace_id: orNull(text),
  branch_key: text,
  created_by: createdBy,
  event: openObject({
    type: text,
    label: ifThere(text),
    to_agent_id: orNull(text),
    to_agent_name: orNull(text),
    timestamp: seconds,
  }),
  payload: orNull(anObject),
  payload_pruned_at: optional(text),
  integrity,
  lineage,
  created_at: text,
  assurance_level: oneOf("L1", "L2", "L3"),
  completeness_claim: orNull(flag),
  integrity_v2: openObject({
    payload_hash: prefixedHash,
    integrity_hash: prefixedHash,
    parent_integrity_hash: hashOrRoot,
    key_id: text,
    envelope: asItStands(envelope),
    client_match: orNull(flag),
    signature_status: text,
  }),
};

const anyPassport: Read<Passport> = openObject(passportMembers);
const passport: Read<Passport> = (value) => {
  const read = anyPassport(value);
  const prunedAt = anObject(value).get("payload_pruned_at") ?? null;
  if (read.payload === null && prunedAt === null)
    throw new Mismatch("has neither payload nor payload_pruned_at");
  return read;
};

const fields: Read<ExactObject> = (value) => {
  const object = anObject(value);
  for (const commitment of object.values()) hash(commitment);
  return object;
};

const delegate = closedObject({ public_key: hash, grant: hash, sig: signature });

export const nodePayload: Read<NodePayload> = closedObject({
  act: text,
  delegate: ifThere(delegate),
  peer: orNull(hash),
  message_id: ifThere(text),
  peer_commit: ifThere(hash),
  fields,
});

/** A node's passports say less freely what they say (section 3). */
const nodePassport: Read<Passport> = (value) => {
  openObject({
    branch_key: constant("main"),
    event: openObject({ type: constant("commit") }),
    payload: orNull(nodePayload),
    completeness_claim: constant(null),
    integrity_v2: openObject({
      key_id: constant("default"),
      envelope: openObject({ key_id: constant("default") }),
      client_match: constant(null),
    }),
  })(value);
  return passport(value);
};

const inclusionStep: Read<InclusionStep> = closedObject({ direction: oneOf("left", "right"), hash });
const inclusionMembers = { leaf_index: count, tree_size: count, proof: listOf(inclusionStep) };
const url = (isNode: boolean): Read<string | null> => (isNode ? constant(null) : orNull(text));

function logProof(isNode: boolean): Read<LogProof> {
  return closedObject({
    log_position: count,
    leaf_hash: hash,
    tree_root: hash,
    tree_size: count,
    accepted_at: seconds,
    client_timestamp: seconds,
    inclusion_proof: closedObject(inclusionMembers),
    proof_status: text,
    pubkey_url: url(isNode),
    checkpoint_url: url(isNode),
    verify_url: url(isNode),
    checkpoint_inclusion: optional(
      closedObject({ checkpoint_id: text, tree_root: hash, ...inclusionMembers }),
    ),
  });
}

const flatMembers = (isNode: boolean): Reads<FlatMembers> => ({
  agent_id: text,
  key_id: isNode ? constant("default") : text,
  timestamp: seconds,
  payload_hash: prefixedHash,
  integrity_hash: prefixedHash,
  parent_integrity_hash: hashOrRoot,
  agent_signature: optional(signature),
  agent_public_key: optional(pemKey),
  client_envelope: optional(anObject),
  client_attestation: optional(anObject),
  metadata: optional(anObject),
  _proof: logProof(isNode),
});

export interface StepForms {
  readonly passport: Read<Passport>;
  readonly flat: Read<FlatMembers>;
  readonly flatNames: ReadonlySet<string>;
}

function stepForms(isNode: boolean): StepForms {
  const members = flatMembers(isNode);
  return {
    passport: isNode ? nodePassport : passport,
    flat: openObject(members),
    flatNames: new Set(Object.keys(members)),
  };
}

export const NODE_STEP = stepForms(true);
export const SERVER_STEP = stepForms(false);
