import { leafHash } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { latestCheckpoint } from "../../checkpoints/checkpoints.store.ts";
import { lastPosition, readTail } from "../../commits/commits.store.ts";
import { careful, UNREADABLE } from "../../fsck/careful.ts";
import { isEnd } from "../../fsck/fsck.ts";
import { isAsSigned } from "../../fsck/quick-check.ts";
import { type Problem, ProblemCounter, type ProblemKind } from "../../fsck/report.ts";
import { TreeWalk, treeStart } from "../../fsck/tree-walk.ts";
import { secondsTime } from "../../times.ts";
import { entriesBetween, type LogEntry } from "./log.store.ts";

/** Entries looked at, at most: a start must not wait for a long ledger, nor one answer hold up the others. */
export const ENTRIES_CHECKED_MAX = 1000;

export function leafEnvelopeOf({ acceptedMs, id, integrityHash, position }: Omit<LogEntry, "leaf">) {
  return {
    accepted_at: secondsTime(acceptedMs),
    commit_id: id,
    integrity_hash: integrityHash,
    log_position: position,
  };
}

/** What is wrong with an entry: its leaf, and the tree and the log root that it leads to. */
export function entryProblems(walk: TreeWalk, entry: LogEntry): ProblemKind[] {
  const leaf: ProblemKind[] = leafHash(leafEnvelopeOf(entry)) === entry.leaf ? [] : ["leaf"];
  return [...leaf, ...walk.grow(entry)];
}

/** Looks at the entries from one position to before another, each beside what is stored before it. */
export async function checkEntries(
  read: Read,
  from: number,
  to: number,
): Promise<{ readonly first: Problem | null; readonly walk: TreeWalk }> {
  const walk = new TreeWalk(await treeStart(read, from));
  const counter = new ProblemCounter();
  const entryAt = await entriesByPosition(read, from, to);
  for (let position = from; position < to; position++) {
    const entry = entryAt.get(position);
    if (entry === undefined || entry === UNREADABLE) {
      walk.skip();
      counter.addCommit([entry === UNREADABLE ? "unreadable" : "missing"], position, null);
    } else counter.addCommit(entryProblems(walk, entry), position, entry.id);
  }
  return { first: counter.first, walk };
}

/** Reads a stretch at once, or one by one where that fails, so that the row is known that cannot be read. */
async function entriesByPosition(read: Read, from: number, to: number) {
  const found = new Map<number, LogEntry | typeof UNREADABLE>();
  const whole = await careful(() => entriesBetween(read, from, to));
  if (whole !== UNREADABLE) {
    for (const entry of whole) found.set(entry.position, entry);
    return found;
  }
  for (let position = from; position < to; position++) {
    const one = await careful(() => entriesBetween(read, position, position + 1));
    if (one === UNREADABLE) found.set(position, UNREADABLE);
    else if (one[0]) found.set(position, one[0]);
  }
  return found;
}

/**
 * A look at the end of a server's log before it serves: the record of the end, the entries since the last checkpoint,
 * and that checkpoint's roots; not the payloads, which may be large. `undefined` when all is well.
 */
export async function checkEnd(read: Read): Promise<Problem | undefined> {
  const tail = await careful(() => readTail(read));
  const last = await careful(() => lastPosition(read));
  const latest = await careful(() => latestCheckpoint(read));
  if (tail === UNREADABLE || last === UNREADABLE || latest === UNREADABLE)
    return { kind: "unreadable", position: null, id: null };
  const size = (last ?? -1) + 1;
  if (latest && !(await isAsSigned(read, latest, size)))
    return { kind: "checkpoint_root", position: latest.log_position, id: latest.checkpoint_id };
  const from = Math.max(latest?.tree_size ?? 0, size - ENTRIES_CHECKED_MAX);
  const { first, walk } = await checkEntries(read, from, size);
  if (first) return first;
  return isEnd(tail, walk) ? undefined : { kind: "tail", position: null, id: null };
}
