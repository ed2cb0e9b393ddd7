import type { Read } from "@darkmatter/store";
import type { Commit, Field } from "../commits/commit.ts";
import { commitsWhere } from "../commits/commits.store.ts";
import { type Erasure, erasuresBetween, fieldsBetween } from "../disclosures/disclosures.store.ts";
import { careful, UNREADABLE } from "./careful.ts";

export type StoredCommit = Commit | "missing" | typeof UNREADABLE;

/** What is stored for one position. */
export interface Stored {
  readonly commit: StoredCommit;
  readonly fields: readonly Field[] | typeof UNREADABLE;
  readonly erasures: readonly Erasure[] | typeof UNREADABLE;
}

/** What is stored for the positions from `start` to before `end`, in order, whatever has become of the file. */
export async function storedBetween(read: Read, start: number, end: number): Promise<Stored[]> {
  const commits = await storedCommits(read, start, end);
  const fields = await rows(start, end, (from, to) => fieldsBetween(read, from, to));
  const erasures = await rows(start, end, (from, to) => erasuresBetween(read, from, to));
  return commits.map((commit, at) => ({
    commit,
    fields: fields.get(start + at) ?? [],
    erasures: erasures.get(start + at) ?? [],
  }));
}

/** The same without the values. */
export async function storedCommits(read: Read, start: number, end: number): Promise<StoredCommit[]> {
  const found = await rows(start, end, async (from, to) => {
    const some = await commitsWhere(read, "position >= ? AND position < ?", from, to);
    return new Map(some.map((commit) => [commit.position, commit]));
  });
  return Array.from({ length: end - start }, (_, at) => found.get(start + at) ?? "missing");
}

type ByPosition<T> = Map<number, T>;

/** Reads a range at once, or position by position where that fails, so that a bad page takes only its own rows along. */
async function rows<T>(
  start: number,
  end: number,
  between: (from: number, to: number) => Promise<ByPosition<T>>,
): Promise<ByPosition<T | typeof UNREADABLE>> {
  const whole = await careful(() => between(start, end));
  if (whole !== UNREADABLE) return whole;
  const found: ByPosition<T | typeof UNREADABLE> = new Map();
  for (let position = start; position < end; position++) {
    const one = await careful(() => between(position, position + 1));
    if (one === UNREADABLE) found.set(position, UNREADABLE);
    else for (const [at, row] of one) found.set(at, row);
  }
  return found;
}
