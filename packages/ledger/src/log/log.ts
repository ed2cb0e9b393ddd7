import { consistencyProof, type InclusionStep, inclusionProof, rootAt, rootOf } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { logRootAt, readTail } from "../commits/commits.store.ts";
import { ledgerError } from "../errors.ts";
import { nodeReader } from "./nodes.ts";

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

export function createLog(): Log {
  return {
    async head(read) {
      const { size, logRoot, frontier } = await readTail(read);
      return logRoot === null ? undefined : { size, logRoot, treeRoot: rootOf(frontier) };
    },

    async headAt(read, size) {
      await requireSize(read, size);
      const logRoot = await logRootAt(read, size - 1);
      if (logRoot === undefined)
        throw ledgerError("LEDGER_DAMAGED", `The commit at position ${size - 1} is missing.`);
      return { size, logRoot, treeRoot: await rootAt(nodeReader(read), size) };
    },

    async inclusion(read, index, size) {
      await requireSize(read, size);
      if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw ledgerError("LOG_SIZE");
      return inclusionProof(nodeReader(read), index, size);
    },

    async consistency(read, first, second) {
      await requireSize(read, first);
      await requireSize(read, second);
      if (first > second) throw ledgerError("LOG_SIZE");
      return consistencyProof(nodeReader(read), first, second);
    },
  };
}

async function requireSize(read: Read, size: number): Promise<void> {
  const tail = await readTail(read);
  if (!Number.isSafeInteger(size) || size < 1 || size > tail.size) throw ledgerError("LOG_SIZE");
}
