import type { Clock } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import type { Database } from "@darkmatter/store";
import { createClientProofs } from "../chains/client-proofs.ts";
import { findingsOf } from "../chains/findings.ts";
import { readCommits } from "../commits/read-commits.ts";
import { createPace } from "../pace.ts";
import type { GramRarity } from "./gram-rarity.ts";
import { accountGram, attributeGram, type GramQuery, gramsOf, wholeGram } from "./grams.ts";
import {
  accountPositions,
  type CommitFilter,
  countOfAccount,
  filtered,
  logSize,
  POSITIONS_AT_ONCE,
  payloadAt,
  payloadSizes,
  payloadsAt,
  type Range,
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
  /** Places in the log, newest first. */
  readonly positions: readonly number[];
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
/** Positions that are remembered before those that no page needs are dropped. */
const WANTED_MAX = 4096;
/** Of a trace: so many are looked at without asking an index. */
const FEW = 1024;
/** Longer queries are compared by a way that no repetition slows down. */
const SHORT_NEEDLE = 200;

export function createSearch({
  db,
  clock,
  verifier,
  rarity,
}: {
  readonly db: Database;
  readonly clock: Clock;
  readonly verifier: Verifier;
  readonly rarity: GramRarity;
}): Search {
  const engine = searchEngine(db.dialect);
  const pageSize = POSITIONS_A_PAGE[db.dialect];

  /** An account's commits that may match: what the index says, then what it does not hold. Oldest first is read fastest. */
  async function* candidates(
    account: number,
    wishes: SearchWishes,
    size: number,
    needle: string | undefined,
  ) {
    const { trace } = wishes;
    const order = "oldest first";
    if (trace !== undefined) {
      const few = await accountPositions(
        db,
        account,
        { from: 0, before: size, limit: FEW },
        { trace, order },
      );
      if (few.length < FEW) {
        yield few;
        return;
      }
    }
    const query = needle === undefined ? undefined : gramQuery(account, needle, wishes, rarity);
    // Read before the index is: what is indexed from here on is in both, and taken from the second.
    const indexed = query ? Math.min(size, await readMark(db)) : 0;
    if (query) yield* pages(0, indexed, (range) => engine.find(db, query, { account, ...range }));
    yield* pages(indexed, size, (range) => accountPositions(db, account, range, { trace, order }));
  }

  async function* pages(start: number, before: number, read: (range: Range) => Promise<number[]>) {
    for (let from = start; ; ) {
      const page = await read({ from, before, limit: pageSize });
      yield page;
      if (page.length < pageSize) return;
      from = (page.at(-1) ?? before) + 1;
    }
  }

  async function isLargeHolding(position: number, isIn: ReturnType<typeof createFinder>) {
    const payload = await payloadAt(db, position);
    const looking = isIn(payload === undefined ? [] : searchedPieces(payload));
    for (;;) {
      const { done, value } = looking.next();
      if (done) return value;
      await clock.turn();
    }
  }

  /** Tells which commits recomputing finds sound; others have their turn in between. */
  function createSoundness(signal: AbortSignal) {
    const pace = createPace({ clock });
    const proofs = createClientProofs(db, verifier);
    return async (position: number): Promise<boolean> => {
      const commit = (await readCommits(db, [position])).get(position);
      const found = commit && (await findingsOf(commit, proofs));
      await pace(commit?.payload?.length ?? 0);
      signal.throwIfAborted();
      return found?.status === "valid";
    };
  }

  /** Those of an account's commits that pass the filter. */
  async function passing(account: number, positions: readonly number[], wishes: SearchWishes) {
    const isEach = positions.length === 0 || !isNarrowed(wishes);
    return isEach ? [...positions] : filtered(db, account, positions, wishes);
  }

  /** Those of an account's commits that pass the filter and whose payloads hold the text. */
  async function holding(
    account: number,
    positions: readonly number[],
    wishes: SearchWishes,
    { needle, isIn }: { readonly needle: string; readonly isIn: ReturnType<typeof createFinder> },
  ) {
    const large: number[] = [];
    const found: number[] = [];
    // Payloads first: the index is mostly right about the filter, and a commit's row is dearer to read.
    const isLong = needle.length > SHORT_NEEDLE;
    if (isLong) large.push(...positions);
    for (const { position, payload } of isLong ? [] : await payloadsAt(db, positions)) {
      if (payload === null) large.push(position);
      else if (searchedText(payload).includes(needle)) found.push(position);
    }
    const left = await passing(account, found, wishes);
    for (const position of await passing(account, large, wishes))
      if (await isLargeHolding(position, isIn)) left.push(position);
    return left;
  }

  async function* matches(account: number, wishes: SearchWishes, size: number, signal: AbortSignal) {
    const needle = wishes.text ? folded(wishes.text) : undefined;
    const isIn = createFinder(needle ?? "");
    const isSound = createSoundness(signal);
    for await (const page of candidates(account, wishes, size, needle)) {
      for (let from = 0; from < page.length; from += POSITIONS_AT_ONCE) {
        signal.throwIfAborted();
        const some = page.slice(from, from + POSITIONS_AT_ONCE);
        const left = await (needle === undefined
          ? passing(account, some, wishes)
          : holding(account, some, wishes, { needle, isIn }));
        for (const position of left.sort((one, other) => one - other))
          if (wishes.verified === undefined || (await isSound(position)) === wishes.verified) yield position;
        await clock.turn();
      }
    }
  }

  /** As many of a page's commits as its payloads allow, one at least. */
  async function fitting(positions: readonly number[]): Promise<readonly number[]> {
    const sizes = await payloadSizes(db, positions);
    let bytes = 0;
    const tooMany = positions.findIndex((position, at) => {
      bytes += sizes.get(position) ?? 0;
      return at > 0 && bytes > PAGE_BYTES_MAX;
    });
    return tooMany < 0 ? positions : positions.slice(0, tooMany);
  }

  return {
    async find(account, wishes, signal) {
      if (isImpossible(wishes)) return { positions: [], total: 0, next: undefined };
      const size = wishes.cursor?.size ?? (await logSize(db));
      const before = Math.min(size, wishes.cursor?.before ?? size);
      let wanted: number[] = [];
      let total = 0;
      if (isNarrowed(wishes) || wishes.text || wishes.verified !== undefined) {
        for await (const position of matches(account, wishes, size, signal)) {
          total++;
          if (position < before) wanted.push(position);
          if (wanted.length > WANTED_MAX) wanted = wanted.slice(-1 - wishes.limit);
        }
        wanted = wanted.slice(-1 - wishes.limit).reverse();
      } else {
        const order = "newest first";
        const range = { from: 0, before, limit: wishes.limit + 1 };
        wanted = await accountPositions(db, account, range, { order });
        total = await countOfAccount(db, account, size);
      }
      const page = await fitting(wanted.slice(0, wishes.limit));
      const last = page.at(-1);
      const isLast = page.length === wanted.length || last === undefined;
      return { positions: page, total, next: isLast ? undefined : { size, before: last } };
    },
  };
}

function gramQuery(
  account: number,
  needle: string,
  { agent, model, event }: CommitFilter,
  rarity: GramRarity,
): GramQuery | undefined {
  const grams = gramsOf(needle);
  if (grams.size === 0) return undefined;
  for (const [kind, value] of Object.entries({ agent, model, event } as const))
    if (value !== undefined) grams.add(attributeGram(kind as "agent" | "model" | "event", value));
  return { all: [...rarity.rarest(grams), accountGram(account)], or: wholeGram(account) };
}

const NARROWING = ["model", "provider", "event", "trace", "agent", "fromMs", "beforeMs"] as const;

const isNarrowed = (wishes: CommitFilter) => NARROWING.some((name) => wishes[name] !== undefined);

/** No name holds U+0000, and PostgreSQL would refuse to look. */
const isImpossible = (wishes: SearchWishes) =>
  [wishes.model, wishes.provider, wishes.event, wishes.trace, wishes.agent].some((name) =>
    name?.includes("\0"),
  );
