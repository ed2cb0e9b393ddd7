import { checkpointText, type SignedCheckpoint } from "./checkpoint.ts";

/**
 * Why two signed checkpoints of one log cannot both be true of a log that only ever grows; `undefined` when they can.
 * What a checkpoint says of the one before it counts when the second says it of the first: where the order is unknown,
 * ask both ways. Whether the log's key signed both is the caller's to check.
 */
export function contradiction(first: SignedCheckpoint, second: SignedCheckpoint): string | undefined {
  return ofSize(first, second) ?? ofId(first, second) ?? ofPrevious(first, second);
}

function ofSize(first: SignedCheckpoint, second: SignedCheckpoint): string | undefined {
  if (first.tree_size !== second.tree_size) return undefined;
  const both = `Two checkpoints of ${first.tree_size} commits have different`;
  if (first.tree_root !== second.tree_root) return `${both} tree roots.`;
  return first.log_root === second.log_root ? undefined : `${both} log roots.`;
}

function ofId(first: SignedCheckpoint, second: SignedCheckpoint): string | undefined {
  const isTwice = first.checkpoint_id === second.checkpoint_id;
  return isTwice && checkpointText(first) !== checkpointText(second)
    ? `Two different checkpoints are called ${first.checkpoint_id}.`
    : undefined;
}

function ofPrevious(earlier: SignedCheckpoint, later: SignedCheckpoint): string | undefined {
  if (later.previous_cp_id !== earlier.checkpoint_id) return undefined;
  const which = `${later.checkpoint_id} names ${earlier.checkpoint_id} as the one before it`;
  if (later.previous_tree_root !== earlier.tree_root) return `${which}, but with another tree root.`;
  const [size, sizeBefore] = [later.tree_size, earlier.tree_size];
  return size < sizeBefore ? `${which}, but has ${size} commits and that one ${sizeBefore}.` : undefined;
}
