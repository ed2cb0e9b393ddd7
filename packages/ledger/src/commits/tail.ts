import { appendLeaf, type Frontier, logRootAfter } from "@darkmatter/proof";

/** The end of the log: all that the next commit has to know of those before it. */
export interface Tail {
  readonly size: number;
  /** `null` before the first commit. */
  readonly logRoot: string | null;
  readonly frontier: Frontier;
}

export const EMPTY_TAIL: Tail = { size: 0, logRoot: null, frontier: [] };

/** The end after one more commit, and the tree's nodes that its leaf completes. */
export function tailAfter(
  tail: Tail,
  commit: { readonly integrityHash: string; readonly leaf: string },
): { readonly tail: Tail & { readonly logRoot: string }; readonly nodes: readonly string[] } {
  const { frontier, completed } = appendLeaf(tail.frontier, tail.size, commit.leaf);
  const logRoot = logRootAfter(tail.logRoot, commit.integrityHash);
  return { tail: { size: tail.size + 1, logRoot, frontier }, nodes: completed };
}
