import type { Read } from "@darkmatter/store";
import { ledgerError } from "../errors.ts";
import type { Commit } from "./commit.ts";
import { bytesOf, commitsWhere, lastPosition, OF_TRACE } from "./commits.store.ts";

/** Reading what was committed. */
export interface Commits {
  /** Newest first; those before a position, when one is given. */
  recent(read: Read, limit: number, before?: number): Promise<Commit[]>;
  /**
   * The commit meant by an id or its beginning, by its scheme-2 hash (bare or prefixed) or that hash's beginning of at
   * least 8 characters, or by a message or agent id: the latest commit about it.
   * Ids and traces have an index; a hash is looked for from the newest commit on, row by row.
   *
   * @throws NO_SUCH_COMMIT, AMBIGUOUS_COMMIT
   */
  find(read: Read, name: string): Promise<Commit>;
  /** From the first commit of its trace to this one; whether they are linked is for `isSound`. @throws NO_SUCH_COMMIT */
  chain(read: Read, commitId: string): Promise<Commit[]>;
  /** All about a message or an agent, oldest first. */
  ofTrace(read: Read, trace: string): Promise<Commit[]>;
}

const ID_START = "ctx_";
const HASH = /^(?:sha256:)?([0-9a-f]{8,64})$/;
const HASH_CHARACTERS = 64;
const BOTH = "A message is called as another conversation's commit is.";
/** Rows looked through with one statement, so that none holds up the others for long. */
const SCANNED_AT_ONCE = 20_000;

export const commits: Commits = {
  recent: (read, limit, before = Number.MAX_SAFE_INTEGER) =>
    commitsWhere(read, "position < ? ORDER BY position DESC LIMIT CAST(? AS BIGINT)", before, limit),

  async find(read, name) {
    const called = await (name.startsWith(ID_START) ? byId(read, name) : byHash(read, name));
    const about = await latestOf(read, name);
    // Whoever sends a message chooses its id: what is asked for by that must not be another conversation's commit.
    if (called && about && called.trace !== about.trace) throw ledgerError("AMBIGUOUS_COMMIT", BOTH);
    const found = called ?? about;
    if (!found) throw ledgerError("NO_SUCH_COMMIT");
    return found;
  },

  async chain(read, commitId) {
    const tip = await byId(read, commitId);
    if (tip?.id !== commitId) throw ledgerError("NO_SUCH_COMMIT");
    return commitsWhere(read, "root = ? AND position <= ? ORDER BY position", tip.root, tip.position);
  },

  ofTrace: (read, trace) => commitsWhere(read, `${OF_TRACE} ORDER BY position`, trace),
};

async function byId(read: Read, start: string): Promise<Commit | undefined> {
  const [whole] = await commitsWhere(read, "id = ?", start);
  if (whole) return whole;
  // Of all that follows a hex digit or `_`, `g` is the first that no id contains.
  const found = await commitsWhere(read, "id > ? AND id < ? ORDER BY id LIMIT 2", start, `${start}g`);
  return only(found);
}

async function byHash(read: Read, name: string): Promise<Commit | undefined> {
  const start = HASH.exec(name)?.[1];
  if (start === undefined) return undefined;
  const lowest = bytesOf(start.padEnd(HASH_CHARACTERS, "0"));
  const highest = bytesOf(start.padEnd(HASH_CHARACTERS, "f"));
  const found: Commit[] = [];
  for (let end = (await lastPosition(read)) ?? -1; end >= 0 && found.length < 2; end -= SCANNED_AT_ONCE) {
    const some = await commitsWhere(
      read,
      "position > ? AND position <= ? AND integrity_hash >= ? AND integrity_hash <= ? LIMIT 2",
      end - SCANNED_AT_ONCE,
      end,
      lowest,
      highest,
    );
    found.push(...some);
    if (found.length > 0 && start.length === HASH_CHARACTERS) break;
  }
  return only(found);
}

async function latestOf(read: Read, trace: string): Promise<Commit | undefined> {
  const [latest] = await commitsWhere(read, `${OF_TRACE} ORDER BY position DESC LIMIT 1`, trace);
  return latest;
}

function only(found: readonly Commit[]): Commit | undefined {
  if (found.length > 1) throw ledgerError("AMBIGUOUS_COMMIT");
  return found[0];
}
