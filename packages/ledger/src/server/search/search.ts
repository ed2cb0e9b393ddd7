import type { Clock } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import type { StoredCommit } from "../commits/commit.ts";
import { commitsAt } from "../commits/commits.store.ts";
import { soundnessOf } from "../commits/passport.ts";
import type { GramRarity } from "./gram-rarity.ts";
import { accountGram, type GramQuery, gramsOf, wholeGram } from "./grams.ts";
import {
  accountPositions,
  type CommitFilter,
  countOfAccount,
  filtered,
  logSize,
  type PlacedPayload,
  POSITIONS_AT_ONCE,
  payloadAt,
  payloadsAt,
  readMark,
  searchEngine,
} from "./search.store.ts";
import { createFinder, folded, searchedPieces, searchedText } from "./searched-text.ts";

/** Where a page ends: the next one goes on below `before`, in a log of `size` commits, whatever was appended since. */
export interface Cursor {
  readonly size: number;
  readonly before: number;
}

export interface SearchWishes extends CommitFilter {
  /** A part of the payload's text; none for any payload, pruned ones included. */
  readonly text?: string | undefined;
  /** Whether recomputing the commit finds it `valid`. */
  readonly verified?: boolean | undefined;
  readonly limit: number;
  readonly cursor?: Cursor | undefined;
}

export interface Found {
  /** Newest first. */
  readonly commits: readonly StoredCommit[];
  /** Of all pages. */
  readonly total: number;
  readonly next: Cursor | undefined;
}

export interface Search {
  /** @param signal ends the search when its caller has gone */
  find(account: number, wishes: SearchWishes, signal: AbortSignal): Promise<Found>;
}

/** Positions taken from an index or a table in one statement. */
const POSITIONS_A_PAGE = { sqlite: 4096, postgres: 32_768 };
/** Payloads of one answer, in bytes; a page of large ones is shorter than was asked for. */
const PAGE_BYTES_MAX = 4_000_000;
/** Longer queries are compared by a way that no repetition slows down. */
const SHORT_NEEDLE = 200;

interface Match {
  readonly position: number;
  readonly bytes: number;
}

export function createSearch({
  db,
  clock,
  rarity,
}: {
  readonly db: Database;
  readonly clock: Clock;
  readonly rarity: GramRarity;
}): Search {
  const engine = searchEngine(db.dialect);
  const pageSize = POSITIONS_A_PAGE[db.dialect];

  /** Where matches may be, newest first: the commits that are not indexed yet, then what the index says. */
  async function* candidates(
    account: number,
    wishes: SearchWishes,
    size: number,
    needle: string | undefined,
  ) {
    const query = needle === undefined ? undefined : gramQuery(account, needle, rarity);
    // Read before the index is: what is indexed from here on is in both, and taken from the first.
    const indexed = query ? Math.min(size, await readMark(db)) : 0;
    yield* pages(size, (before) =>
      accountPositions(db, account, { from: indexed, before, limit: pageSize }, wishes),
    );
    if (query) yield* pages(indexed, (before) => engine.find(db, query, before, pageSize));
  }

  async function* pages(end: number, read: (before: number) => Promise<number[]>) {
    for (let before = end; ; ) {
      const page = await read(before);
      yield page;
      if (page.length < pageSize) return;
      before = page.at(-1) ?? 0;
    }
  }

  async function holds(commit: PlacedPayload, needle: string, isIn: ReturnType<typeof createFinder>) {
    if (commit.payload !== null && needle.length <= SHORT_NEEDLE)
      return searchedText(commit.payload).includes(needle);
    const payload = commit.payload ?? (await payloadAt(db, commit.position));
    const looking = isIn(payload === undefined ? [] : searchedPieces(payload));
    for (;;) {
      const { done, value } = looking.next();
      if (done) return value;
      await clock.turn();
    }
  }

  async function isSound({ position }: Match): Promise<boolean> {
    const [commit] = await commitsAt(db, [position]);
    return commit !== undefined && soundnessOf(commit).status === "valid";
  }

  /** Those of the positions whose payloads hold the text. Most candidates do not: who they are of is asked after. */
  async function holding(
    positions: readonly number[],
    needle: string,
    isIn: ReturnType<typeof createFinder>,
  ) {
    const found: number[] = [];
    for (const commit of await payloadsAt(db, positions))
      if (await holds(commit, needle, isIn)) found.push(commit.position);
    return found;
  }

  async function* matches(account: number, wishes: SearchWishes, size: number, signal: AbortSignal) {
    const needle = wishes.text ? folded(wishes.text) : undefined;
    const isIn = createFinder(needle ?? "");
    for await (const page of candidates(account, wishes, size, needle)) {
      for (let from = 0; from < page.length; from += POSITIONS_AT_ONCE) {
        signal.throwIfAborted();
        const some = page.slice(from, from + POSITIONS_AT_ONCE);
        const left = needle === undefined ? some : await holding(some, needle, isIn);
        for (const { position, bytes } of left.length > 0 ? await filtered(db, account, left, wishes) : []) {
          const match = { position, bytes: bytes ?? 0 };
          if (wishes.verified === undefined || (await isSound(match)) === wishes.verified) yield match;
        }
        await clock.turn();
      }
    }
  }

  async function* newest(account: number, before: number, limit: number): AsyncGenerator<Match> {
    const positions = await accountPositions(db, account, { from: 0, before, limit }, {});
    for (let from = 0; from < positions.length; from += POSITIONS_AT_ONCE) {
      const some = positions.slice(from, from + POSITIONS_AT_ONCE);
      for (const { position, bytes } of await filtered(db, account, some, {}))
        yield { position, bytes: bytes ?? 0 };
    }
  }

  return {
    async find(account, wishes, signal) {
      if (isImpossible(wishes)) return { commits: [], total: 0, next: undefined };
      const size = wishes.cursor?.size ?? (await logSize(db));
      const before = wishes.cursor?.before ?? size;
      const isPlain = isUnfiltered(wishes);
      const found = isPlain
        ? newest(account, before, wishes.limit + 1)
        : matches(account, wishes, size, signal);
      const page: number[] = [];
      let [counted, bytes, isFull] = [0, 0, false];
      for await (const match of found) {
        counted++;
        if (isFull || match.position >= before) continue;
        bytes += match.bytes;
        isFull = page.length === wishes.limit || (page.length > 0 && bytes > PAGE_BYTES_MAX);
        if (!isFull) page.push(match.position);
      }
      const total = isPlain ? await countOfAccount(db, account, size) : counted;
      const commits = (await commitsAt(db, page)).reverse();
      const last = page.at(-1);
      return { commits, total, next: isFull && last !== undefined ? { size, before: last } : undefined };
    },
  };
}

function gramQuery(account: number, needle: string, rarity: GramRarity): GramQuery | undefined {
  const grams = gramsOf(needle);
  if (grams.size === 0) return undefined;
  // An account's own gram, where few commits are its, rules out more than any other.
  return { all: rarity.rarest(grams.add(accountGram(account))), or: wholeGram(account) };
}

const FILTERS = [
  "text",
  "verified",
  "model",
  "provider",
  "event",
  "trace",
  "agent",
  "fromMs",
  "beforeMs",
] as const satisfies readonly (keyof SearchWishes)[];

const isUnfiltered = (wishes: SearchWishes) => FILTERS.every((name) => wishes[name] === undefined);

/** No name holds U+0000, and PostgreSQL would refuse to look. */
const isImpossible = (wishes: SearchWishes) =>
  [wishes.model, wishes.provider, wishes.event, wishes.trace, wishes.agent].some((name) =>
    name?.includes("\0"),
  );
