import type { InclusionStep } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";

export interface LogHead {
  /** Leaves in the tree, at least 1. */
  readonly size: number;
  /** Bare hex. */
  readonly treeRoot: string;
  readonly logRoot: string;
}

/** Reading the Merkle log of all commits: each answer costs O(log n) reads. */
export interface Log {
  /** `undefined` while nothing was committed. */
  head(read: Read): Promise<LogHead | undefined>;
  /** The log as it was after its first `size` leaves. Throws LOG_SIZE for a size it never had. */
  headAt(read: Read, size: number): Promise<LogHead>;
  inclusion(read: Read, index: number, size: number): Promise<InclusionStep[]>;
  /** RFC 9162 consistency proof between two sizes, 1 <= first <= second. */
  consistency(read: Read, first: number, second: number): Promise<string[]>;
}
