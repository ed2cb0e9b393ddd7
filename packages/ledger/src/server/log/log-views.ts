import type { Verifier } from "@darkmatter/identity";
import {
  leafHash,
  rootAt,
  type SignedCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Log } from "../../log/log.ts";
import { nodeReader } from "../../log/nodes.ts";
import { leafEnvelopeOf } from "./end-check.ts";
import type { LogEntry } from "./log.store.ts";
import { isOfLog, type LogKeys } from "./log-keys.ts";

/** That an entry is in the tree of a size; nothing of its payload, agent or account. */
export async function proofView(read: Read, log: Log, entry: LogEntry, treeSize: number) {
  const { treeRoot } = await log.headAt(read, treeSize);
  const proof = await log.inclusion(read, entry.position, treeSize);
  const leaf_envelope = leafEnvelopeOf(entry);
  const leaf = leafHash(leaf_envelope);
  const isIncluded = verifyInclusion({ leaf, index: entry.position, size: treeSize, proof, root: treeRoot });
  return {
    commit_id: entry.id,
    log_position: entry.position,
    tree_size: treeSize,
    tree_root: treeRoot,
    leaf_hash: entry.leaf,
    leaf_envelope,
    // The leaf is hashed anew: what is stored of it proves nothing.
    consistent: leaf === entry.leaf && isIncluded,
    inclusion_proof: {
      leaf_index: entry.position,
      tree_size: treeSize,
      proof: proof.map((step) => ({ ...step })),
    },
  };
}

export function entryView(entry: LogEntry) {
  return {
    commit_id: entry.id,
    log_position: entry.position,
    accepted_at: leafEnvelopeOf(entry).accepted_at,
    integrity_hash: entry.integrityHash,
    leaf_hash: entry.leaf,
    leaf_envelope: leafEnvelopeOf(entry),
    log_root: entry.logRoot,
  };
}

export interface ConsistencyParts {
  readonly read: Read;
  readonly log: Log;
  readonly keys: LogKeys;
  readonly verifier: Verifier;
}

/** Whether one checkpoint's tree only adds to another's, and the proof of it, which needs no word of the server's. */
export async function consistencyView(
  { read, log, keys, verifier }: ConsistencyParts,
  from: SignedCheckpoint,
  to: SignedCheckpoint,
) {
  const proof = await log.consistency(read, from.tree_size, to.tree_size);
  const rootOf = ({ tree_size }: SignedCheckpoint) => rootAt(nodeReader(read), tree_size);
  const old_root_ok = (await rootOf(from)) === from.tree_root;
  const new_root_ok = (await rootOf(to)) === to.tree_root;
  const sig_a_ok = await isOfLog(from, keys, verifier);
  const sig_b_ok = await isOfLog(to, keys, verifier);
  const isProved = verifyConsistency({
    firstSize: from.tree_size,
    firstRoot: from.tree_root,
    secondSize: to.tree_size,
    secondRoot: to.tree_root,
    proof,
  });
  const consistent = old_root_ok && new_root_ok && sig_a_ok && sig_b_ok && isProved;
  return {
    consistent,
    reason: consistent ? null : "a root, a signature or the proof between the two trees does not hold",
    old_root_ok,
    new_root_ok,
    sig_a_ok,
    sig_b_ok,
    chain_linked: to.checkpoint_id === from.checkpoint_id || to.previous_cp_id === from.checkpoint_id,
    tree_sizes: [from.tree_size, to.tree_size],
    from: from.checkpoint_id,
    to: to.checkpoint_id,
    first_size: from.tree_size,
    second_size: to.tree_size,
    proof,
  };
}
