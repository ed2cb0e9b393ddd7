import { type ExactJson, type Json, sha256Hex } from "@darkmatter/core";
import { isHash, isSeconds, isSignature } from "./forms.ts";
import { type Form, hasOnly, membersOf, orNull, shaped } from "./members.ts";
import type { VerifySignature } from "./signatures.ts";

/** What a log commits to at one size (ledger.md 2.10). Hashes are bare lower-case hex. */
export interface Checkpoint {
  readonly checkpoint_id: string;
  readonly log_position: number;
  readonly log_root: string;
  readonly previous_cp_id: string | null;
  readonly previous_tree_root: string | null;
  readonly schema_version: "3";
  /** Seconds, `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly timestamp: string;
  readonly tree_root: string;
  readonly tree_size: number;
}

/** A checkpoint as it travels: `position` repeats `log_position`. */
export interface SignedCheckpoint extends Checkpoint {
  readonly server_sig: string;
  readonly position: number;
}

/** The envelope's canon-1 text, which the log's key and each witness sign. */
export function checkpointText(checkpoint: Checkpoint): string {
  // In the order of their names: then this is canon-1.
  return JSON.stringify({
    checkpoint_id: checkpoint.checkpoint_id,
    log_position: checkpoint.log_position,
    log_root: checkpoint.log_root,
    previous_cp_id: checkpoint.previous_cp_id,
    previous_tree_root: checkpoint.previous_tree_root,
    schema_version: checkpoint.schema_version,
    timestamp: checkpoint.timestamp,
    tree_root: checkpoint.tree_root,
    tree_size: checkpoint.tree_size,
  });
}

/** Whether its positions are those of its size, and the log's key signed it. The form is the caller's to check. */
export async function verifyCheckpoint(
  signed: SignedCheckpoint,
  publicKeyHex: string,
  verify: VerifySignature,
): Promise<boolean> {
  const { log_position, position, server_sig, tree_size } = signed;
  if (log_position !== tree_size - 1 || position !== log_position) return false;
  return verify(publicKeyHex, checkpointText(signed), server_sig);
}

const LOG_TAG_LENGTH = 8;

/** How the ids of a node's checkpoints end (docs/proof.md section 2). `agentId`: its key, 64 hex. */
export function checkpointTag(agentId: string): string {
  return sha256Hex(`mesh/${agentId}`).slice(0, LOG_TAG_LENGTH);
}

/**
 * The same of a node's log, whose checkpoints name it by their ids. A node signs as a witness the very bytes that
 * another log signs: but for the name, its testimony would pass for a checkpoint of its own, and be evidence against it.
 */
export async function verifyNodeCheckpoint(
  signed: SignedCheckpoint,
  agentId: string,
  verify: VerifySignature,
): Promise<boolean> {
  return isNamedAfter(signed, agentId) && verifyCheckpoint(signed, agentId, verify);
}

/** Whether a checkpoint's id names that node's log. */
export function isNamedAfter({ checkpoint_id }: Checkpoint, agentId: string): boolean {
  return checkpoint_id.endsWith(`_${checkpointTag(agentId)}`);
}

const ID = /^cp_\d{1,16}_[0-9a-f]{8}$/;
const isId = (value: unknown) => typeof value === "string" && ID.test(value);
const isPosition = (value: unknown) =>
  Number.isSafeInteger(value) && Number(value) >= 0 && !Object.is(value, -0);

const FORM: Form<SignedCheckpoint> = {
  checkpoint_id: isId,
  log_position: isPosition,
  log_root: isHash,
  previous_cp_id: orNull(isId),
  previous_tree_root: orNull(isHash),
  schema_version: (value) => value === "3",
  timestamp: isSeconds,
  tree_root: isHash,
  tree_size: isPosition,
  server_sig: isSignature,
  position: isPosition,
};

/**
 * The signed checkpoint that a value is; `undefined` when it has not exactly these members in their form. What the
 * values say of each other, and the signature, is `verifyCheckpoint`'s to check.
 *
 * @param alsoAllowed names of members that may stand beside them
 */
export function signedCheckpointOf(
  value: ExactJson | Json,
  alsoAllowed: readonly string[] = [],
): SignedCheckpoint | undefined {
  const members = membersOf(value);
  const isWhole = members && hasOnly(members, [...Object.keys(FORM), ...alsoAllowed]);
  return isWhole ? shaped(members, FORM) : undefined;
}
