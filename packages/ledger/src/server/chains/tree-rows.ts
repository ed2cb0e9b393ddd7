import type { ReadNode } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { ledgerError } from "../../errors.ts";
import { type TreeRow, treeRowsAt } from "./chains.store.ts";

/** The tree, read for many proofs at once: a few statements instead of one for each node. */
export interface TreeRows {
  /**
   * Reads what an act will need. The act is run with a reader that only takes note: which nodes a proof needs does
   * not depend on what they hold.
   */
  prepare(act: (readNode: ReadNode) => Promise<unknown>, rows?: readonly number[]): Promise<void>;
  /** Of what was prepared. @throws LEDGER_DAMAGED for a node that is not there */
  readonly readNode: ReadNode;
  /** The row at a position that was prepared. */
  row(position: number): TreeRow | undefined;
}

const NO_HASH = "0".repeat(64);
/** Rows that complete a subtree of this many leaves are kept: the proofs of a whole chain need them again and again. */
const LARGE_SUBTREE = 256;
const rowOf = (level: number, index: number): number => (index + 1) * 2 ** level - 1;

export function createTreeRows(read: Read): TreeRows {
  let rows = new Map<number, TreeRow>();
  return {
    async prepare(act, more = []) {
      const wanted = new Set(more);
      await act(async (level, index) => {
        wanted.add(rowOf(level, index));
        return NO_HASH;
      });
      const kept = [...rows].filter(
        ([position]) => wanted.has(position) || (position + 1) % LARGE_SUBTREE === 0,
      );
      rows = new Map(kept);
      const missing = [...wanted].filter((position) => position >= 0 && !rows.has(position));
      for (const [position, row] of await treeRowsAt(read, missing)) rows.set(position, row);
    },
    async readNode(level, index) {
      const row = rows.get(rowOf(level, index));
      const node = level === 0 ? row?.leaf : row?.nodes[level - 1];
      if (node?.length !== NO_HASH.length)
        throw ledgerError(
          "LEDGER_DAMAGED",
          `The commit at position ${rowOf(level, index)} has lost its nodes.`,
        );
      return node;
    },
    row: (position) => rows.get(position),
  };
}
