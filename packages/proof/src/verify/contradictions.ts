import { checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { contradiction } from "../evidence.ts";

/** Many checkpoints of one log, none of which is compared with each other one. */
export interface Contradictions {
  /** Adds a checkpoint; what cannot be true both of it and of one added before. */
  add(checkpoint: SignedCheckpoint): string | undefined;
}

export function createContradictions(): Contradictions {
  const bySize = new Map<number, SignedCheckpoint>();
  const byId = new Map<string, SignedCheckpoint>();
  const byPrevious = new Map<string, SignedCheckpoint[]>();

  /** Those that may contradict it: of its size, the one it names, those that name it. */
  function related(checkpoint: SignedCheckpoint): readonly SignedCheckpoint[] {
    const { checkpoint_id, previous_cp_id, tree_size } = checkpoint;
    const few = [bySize.get(tree_size), previous_cp_id === null ? undefined : byId.get(previous_cp_id)];
    return [...few.filter((one) => one !== undefined), ...(byPrevious.get(checkpoint_id) ?? [])];
  }

  function keep(checkpoint: SignedCheckpoint): void {
    const { checkpoint_id, previous_cp_id, tree_size } = checkpoint;
    byId.set(checkpoint_id, checkpoint);
    if (!bySize.has(tree_size)) bySize.set(tree_size, checkpoint);
    if (previous_cp_id === null) return;
    const siblings = byPrevious.get(previous_cp_id);
    if (siblings) siblings.push(checkpoint);
    else byPrevious.set(previous_cp_id, [checkpoint]);
  }

  return {
    add(checkpoint) {
      const named = byId.get(checkpoint.checkpoint_id);
      // The same again says nothing new: so each one is compared once, however often it is repeated.
      if (named && checkpointText(named) === checkpointText(checkpoint)) return undefined;
      for (const other of named ? [named] : [checkpoint, ...related(checkpoint)]) {
        const reason = contradiction(other, checkpoint) ?? contradiction(checkpoint, other);
        if (reason !== undefined) return reason;
      }
      keep(checkpoint);
      return undefined;
    },
  };
}
