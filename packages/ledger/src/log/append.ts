import { type InclusionStep, leafHash, rootOf } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { readTail } from "../commits/commits.store.ts";
import { type Tail, tailAfter } from "../commits/tail.ts";
import { secondsTime } from "../times.ts";

/** What is locked while a commit is appended: positions and the log root leave no room for two at once. */
const APPEND_LOCK = "ledger";

/** What the log has to know of a commit. */
export interface Entry {
  readonly id: string;
  readonly acceptedMs: number;
  /** Scheme 2, bare. */
  readonly integrityHash: string;
}

/** A commit's place, and the log right after it. Bare hex. */
export interface Placed {
  readonly position: number;
  readonly leaf: string;
  readonly logRoot: string;
  /** Roots of the subtrees that its leaf completes, for the commit's row. */
  readonly nodes: readonly string[];
  /** Roots of the perfect subtrees that stood before it, largest first. */
  readonly before: readonly string[];
  readonly tail: Tail;
}

/** That a commit is in the log, which ends with it. Bare hex. */
export interface PlaceProof {
  readonly treeRoot: string;
  /** From the leaf to `treeRoot`, in the tree of `position + 1` leaves. */
  readonly inclusion: readonly InclusionStep[];
}

/**
 * The next place of the log for a commit whose transaction holds the tail (`lockTail`). The caller writes the commit's
 * row, and the tail (`writeTail`) after it: a body that goes on after a failure between the two is refused by the row.
 */
export function placeInLog(before: Tail, entry: Entry): Placed {
  const position = before.size;
  const leaf = leafHash({
    accepted_at: secondsTime(entry.acceptedMs),
    commit_id: entry.id,
    integrity_hash: entry.integrityHash,
    log_position: position,
  });
  const { tail, nodes } = tailAfter(before, { leaf, integrityHash: entry.integrityHash });
  return {
    position,
    leaf,
    logRoot: tail.logRoot,
    nodes,
    before: before.frontier,
    tail,
  };
}

/** What is answered with a commit; a node's own ledger has no use for it. */
export const proofOfPlace = ({ before, tail }: Pick<Placed, "before" | "tail">): PlaceProof => ({
  treeRoot: rootOf(tail.frontier),
  // The newest leaf stands alone on the right: what it meets on its way up are the subtrees to its left.
  inclusion: before.toReversed().map((hash) => ({ direction: "left", hash })),
});

/** Makes transactions that say something about the log serial. A server appends meanwhile: it holds the tail itself. */
export async function lockLog(tx: Write): Promise<void> {
  await tx.lock(APPEND_LOCK);
}

/** The end of the log, held until the transaction is over. */
export async function lockTail(tx: Write): Promise<Tail> {
  await lockLog(tx);
  return readTail(tx);
}
