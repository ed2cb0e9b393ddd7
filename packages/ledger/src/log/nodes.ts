import type { ReadNode } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { storedNode } from "../commits/commits.store.ts";
import { ledgerError } from "../errors.ts";

/** Reads the tree's nodes from the rows of the commits that completed them. @throws LEDGER_DAMAGED */
export function nodeReader(read: Read): ReadNode {
  return async (level, index) => {
    const node = await storedNode(read, level, index);
    if (node === undefined) {
      const position = (index + 1) * 2 ** level - 1;
      throw ledgerError("LEDGER_DAMAGED", `The commit at position ${position} has lost a node of the tree.`);
    }
    return node;
  };
}

/** Nodes kept: the proofs of one conversation share most of theirs. */
const KEPT_MAX = 200_000;

/** The same with a memory of its own; the tree is only added to, so what was read once stays true. */
export function rememberingNodeReader(read: Read): ReadNode {
  const known = new Map<string, string>();
  const readNode = nodeReader(read);
  return async (level, index) => {
    const key = `${level}/${index}`;
    const kept = known.get(key);
    if (kept !== undefined) return kept;
    const node = await readNode(level, index);
    if (known.size >= KEPT_MAX) known.clear();
    known.set(key, node);
    return node;
  };
}
