import { type Clock, SECOND_MS } from "@darkmatter/core";
import type { Database, Read } from "@darkmatter/store";
import type { Job } from "@darkmatter/surface";
import type { GramRarity } from "./gram-rarity.ts";
import { addGrams, GRAMS_MAX, indexable, wholeGram } from "./grams.ts";
import {
  lockMark,
  logSize,
  type OwnedPayload,
  payloadAt,
  payloadsFrom,
  readMark,
  type SearchDocument,
  searchEngine,
  writeMark,
} from "./search.store.ts";
import { searchedPieces, searchedText } from "./searched-text.ts";

/** How much is indexed with one transaction, which holds up everybody else's for as long. */
export interface IndexStep {
  readonly commits: number;
  /** Of payloads; one more may begin below it. */
  readonly bytes: number;
}

/** Some milliseconds. */
const STEP: IndexStep = { commits: 8, bytes: 6 * 1024 };
/** Times of a step that the database is left to others after it. */
const REST = 3;
/** While commits come quickly their answers go first: the index falls behind, and never stands still. */
const BUSY_COMMITS_A_SECOND = 300;
const BUSY_REST_MS = 1000;
/** Over how long that is counted at least. */
const COUNTED_MS = 100;
const PERIOD_MS = 1000;

/** Brings commits into the index, behind their answers: a search looks at those it does not hold yet by itself. */
export interface SearchIndexer {
  /** Indexes the next commits; how many. 0 also where another process was faster. */
  step(size?: IndexStep): Promise<number>;
  /** Some of what makes the index quicker to search; `false` when nothing is left. */
  tidy(): Promise<boolean>;
  readonly job: Job;
  /** Ends the job's run before its next step. */
  stop(): void;
}

export function createSearchIndexer({
  db,
  clock,
  rarity,
}: {
  readonly db: Database;
  readonly clock: Clock;
  readonly rarity: GramRarity;
}): SearchIndexer {
  const engine = searchEngine(db.dialect);
  const isBusy = createBusyCheck(db, clock);
  let isStopped = false;
  let isTidy = false;

  async function documentOf({ position, account, bytes, payload }: OwnedPayload) {
    if (bytes === null) return undefined;
    if (payload !== null) {
      const text = indexable(searchedText(payload));
      const grams = new Set<string>();
      if (engine.takesGrams) addGrams(grams, text);
      return grams.size <= GRAMS_MAX
        ? { position, account, grams, text }
        : wholeDocument({ position, account });
    }
    const large = await payloadAt(db, position);
    return large === undefined ? undefined : largeDocument({ position, account }, large);
  }

  async function largeDocument(
    place: Pick<SearchDocument, "position" | "account">,
    payload: string,
  ): Promise<SearchDocument> {
    const grams = new Set<string>();
    let before = "";
    for (const piece of searchedPieces(payload)) {
      before = addGrams(grams, before + indexable(piece));
      if (grams.size > GRAMS_MAX) return wholeDocument(place);
      await clock.turn();
    }
    return { ...place, grams, text: undefined };
  }

  async function step({ commits, bytes }: IndexStep = STEP): Promise<number> {
    const mark = await readMark(db);
    const documents: SearchDocument[] = [];
    let [next, left] = [mark, bytes];
    for (const row of await payloadsFrom(db, mark, commits)) {
      if (left <= 0) break;
      const document = await documentOf(row);
      if (document) documents.push(document);
      next = row.position + 1;
      left -= row.bytes ?? 0;
    }
    if (next === mark) return 0;
    return db.write(async (tx) => {
      // Whoever indexed them first has moved the mark in the same transaction.
      if ((await lockMark(tx)) !== mark) return 0;
      for (const document of documents.sort(byPlace)) await engine.insert(tx, document);
      await writeMark(tx, next);
      return next - mark;
    });
  }

  async function tidy(): Promise<boolean> {
    const { merge } = engine;
    return merge !== undefined && db.write(merge);
  }

  /** What is next; whether there was anything. */
  async function work(): Promise<boolean> {
    if ((await step()) > 0) {
      isTidy = false;
      return true;
    }
    if (isTidy || (await isBusy())) return false;
    isTidy = !(await tidy());
    return !isTidy;
  }

  return {
    step,
    tidy,
    stop() {
      isStopped = true;
    },
    job: {
      name: "ledger.search",
      periodMs: PERIOD_MS,
      atStart: true,
      async run() {
        // What is common changes slowly: it can be learned once there is time.
        if (!(await isBusy())) await rarity.learn(db, await logSize(db));
        while (!isStopped) {
          const startMs = clock.monotonic();
          if (!(await work())) return;
          await clock.sleep((await isBusy()) ? BUSY_REST_MS : REST * (clock.monotonic() - startMs));
        }
      },
    },
  };
}

/** By how much the log has grown since it was looked at, whichever process took the commits. */
function createBusyCheck(db: Read, clock: Pick<Clock, "monotonic">): () => Promise<boolean> {
  let seen = { size: 0, atMs: Number.NEGATIVE_INFINITY };
  let isBusy = false;
  return async () => {
    const atMs = clock.monotonic();
    const passedMs = atMs - seen.atMs;
    if (passedMs < COUNTED_MS) return isBusy;
    const size = await logSize(db);
    isBusy = ((size - seen.size) * SECOND_MS) / passedMs > BUSY_COMMITS_A_SECOND;
    seen = { size, atMs };
    return isBusy;
  };
}

/** As FTS5 numbers its rows: it gathers what comes in order, and writes out all it has before a step back. */
const byPlace = (one: SearchDocument, other: SearchDocument) =>
  one.account - other.account || one.position - other.position;

function wholeDocument(place: Pick<SearchDocument, "position" | "account">): SearchDocument {
  return { ...place, grams: new Set([wholeGram(place.account)]), text: undefined };
}
