import type { Database, Migration, Read, SqlValue, Write } from "@darkmatter/store";
import { type Attributes, attributeGrams, type GramQuery, longText } from "./grams.ts";

const MARK = [
  "CREATE TABLE ledger_search_mark (one INTEGER PRIMARY KEY, indexed BIGINT NOT NULL)",
  "INSERT INTO ledger_search_mark (one, indexed) VALUES (1, 0)",
];

/** Of a row's number in FTS5; the account is above them, so that what an account has lies together. */
const POSITION_BITS = 36;
const ROW = `CAST(? AS INTEGER) << ${POSITION_BITS} | CAST(? AS INTEGER)`;

// What is pruned leaves the index with it, whoever prunes.
export const searchMigrations: readonly Migration[] = [
  {
    name: "ledger-server/050-search",
    dialects: ["sqlite"],
    sql: [
      // Neither texts nor places of grams are kept, only which payload holds which: a quarter of the size.
      `CREATE VIRTUAL TABLE ledger_search USING fts5 (
         text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
       )`,
      // Indexing comes in small transactions: fewer merges take less than searches lose by them.
      "INSERT INTO ledger_search (ledger_search, rank) VALUES ('automerge', 8)",
      "INSERT INTO ledger_search (ledger_search, rank) VALUES ('hashsize', 4194304)",
      `CREATE TRIGGER ledger_search_pruned AFTER DELETE ON ledger_payloads
       BEGIN DELETE FROM ledger_search WHERE rowid = (
         SELECT account << ${POSITION_BITS} | position FROM ledger_commits WHERE position = OLD.position
       ); END`,
      ...MARK,
    ],
  },
  {
    name: "ledger-server/050-search-postgres",
    dialects: ["postgres"],
    sql: [
      `CREATE TABLE ledger_search (
         position BIGINT PRIMARY KEY REFERENCES ledger_payloads (position) ON DELETE CASCADE,
         grams TSVECTOR NOT NULL
       )`,
      "CREATE INDEX ledger_search_grams ON ledger_search USING gin (grams)",
      ...MARK,
    ],
  },
];

/** A payload for the index: its text where that is short, its grams where it is long or the engine wants them. */
export interface SearchDocument {
  readonly position: number;
  readonly account: number;
  readonly grams: ReadonlySet<string>;
  /** Indexable, with at least the grams; `undefined` for none but the grams. */
  readonly text: string | undefined;
}

/** Positions in `[from, before)`, so many at most. */
export interface Range {
  readonly from: number;
  readonly before: number;
  readonly limit: number;
}

/** The engine of a database: keeps which payloads hold which grams, and so says where to look. */
export interface SearchEngine {
  /** It wants grams; the other one finds them by itself. */
  readonly takesGrams: boolean;
  /** Leaves out what was pruned meanwhile. */
  insert(tx: Write, document: SearchDocument): Promise<void>;
  /** Merges some of the parts that indexing left, which searches read one by one; whether there was anything to do. */
  readonly merge?: (tx: Write) => Promise<boolean>;
  /**
   * The first positions in a range whose documents may match, oldest first. All are the account's: nothing after it
   * compares whose they are.
   */
  find(read: Read, query: GramQuery, range: Range & { readonly account: number }): Promise<number[]>;
}

export const searchEngine = (dialect: Database["dialect"]): SearchEngine =>
  dialect === "sqlite" ? fts5 : tsvector;

const ATTRIBUTES = "c.account, c.agent, c.model, c.event, c.label";

/** Of a commit whose payload was not pruned. */
async function attributeGramsAt(tx: Write, position: number): Promise<string[] | undefined> {
  const row = await tx.get<Attributes>(
    `SELECT ${ATTRIBUTES} FROM ledger_payloads y JOIN ledger_commits c ON c.position = y.position
     WHERE y.position = ?`,
    position,
  );
  return row && attributeGrams(row);
}

type Positions = { position: number }[];
const positionsOf = (rows: Positions) => rows.map(({ position }) => position);

/** Some milliseconds. */
const PAGES_MERGED_AT_ONCE = 16;

const fts5: SearchEngine = {
  takesGrams: false,
  async insert(tx, { account, position, grams, text }) {
    const attributes = await attributeGramsAt(tx, position);
    if (attributes === undefined) return;
    // Grams in a row make more grams where they meet; that costs space and nothing else. One row by its values, not by
    // a SELECT, for which FTS5 would write out all it has gathered.
    const own = text === undefined ? [...grams].join("") : text + longText(text);
    await tx.run(
      `INSERT INTO ledger_search (rowid, text) VALUES (${ROW}, ?)`,
      account,
      position,
      own + attributes.join(""),
    );
  },
  async merge(tx) {
    const before = await changesOf(tx);
    await tx.run("INSERT INTO ledger_search (ledger_search, rank) VALUES ('merge', ?)", PAGES_MERGED_AT_ONCE);
    // The statement itself counts as one (sqlite.org/fts5, "The merge Command").
    return (await changesOf(tx)) - before > 1;
  },
  async find(read, { all, or }, { account, from, before, limit }) {
    const quoted = (gram: string) => `"${gram.replaceAll('"', '""')}"`;
    return positionsOf(
      await read.all(
        `SELECT rowid & ((1 << ${POSITION_BITS}) - 1) AS position FROM ledger_search
         WHERE ledger_search MATCH ? AND rowid >= (${ROW}) AND rowid < (${ROW})
         ORDER BY rowid LIMIT +?`,
        `(${all.map(quoted).join(" AND ")}) OR ${quoted(or)}`,
        account,
        from,
        account,
        before,
        limit,
      ),
    );
  },
};

async function changesOf(tx: Write): Promise<number> {
  return (await tx.get<{ changes: number }>("SELECT total_changes() AS changes"))?.changes ?? 0;
}

/** A gram as a word of letters and digits, which no language of queries reads anything into. */
const wordOf = (gram: string) => Buffer.from(gram).toString("hex");

const tsvector: SearchEngine = {
  takesGrams: true,
  async insert(tx, { position, grams }) {
    const attributes = await attributeGramsAt(tx, position);
    if (attributes === undefined) return;
    const words = [...attributes, ...grams].map(wordOf).join(" ");
    await tx.run(
      `INSERT INTO ledger_search (position, grams)
       SELECT position, array_to_tsvector(string_to_array(?, ' ')) FROM ledger_payloads WHERE position = ?
       FOR KEY SHARE`,
      words,
      position,
    );
  },
  async find(read, { all, or }, { account, from, before, limit }) {
    // A payload may hold another account's mark. Found first, ordered then: else the planner may read the whole table in
    // order for a query that finds little.
    return positionsOf(
      await read.all(
        `WITH found AS MATERIALIZED (
           SELECT position FROM ledger_search
           WHERE grams @@ CAST(? AS tsquery) AND position >= ? AND position < ?
         ) SELECT c.position FROM found JOIN ledger_commits c ON c.position = found.position
         WHERE c.account = ? ORDER BY c.position LIMIT CAST(? AS BIGINT)`,
        `(${all.map(wordOf).join(" & ")}) | ${wordOf(or)}`,
        from,
        before,
        account,
        limit,
      ),
    );
  },
};

/** How many commits, from the first, the index knows. */
export async function readMark(read: Read): Promise<number> {
  const row = await read.get<{ indexed: number }>("SELECT indexed FROM ledger_search_mark");
  return row?.indexed ?? 0;
}

/** Holds other processes off the index until the transaction is over; the mark as it then is. */
export async function lockMark(tx: Write): Promise<number> {
  await tx.lock("ledger.search");
  return readMark(tx);
}

export async function writeMark(tx: Write, indexed: number): Promise<void> {
  await tx.run("UPDATE ledger_search_mark SET indexed = ?", indexed);
}

export async function logSize(read: Read): Promise<number> {
  const row = await read.get<{ last: number | null }>("SELECT MAX(position) AS last FROM ledger_commits");
  return (row?.last ?? -1) + 1;
}

/** Texts of more bytes are read one by one. */
export const SMALL_BYTES = 65_536;

/** `payload` is `null` where it was pruned, as `bytes` then is, and where it is not small. */
export type PlacedPayload = { position: number; bytes: number | null; payload: string | null };
export type OwnedPayload = PlacedPayload & Attributes;

const SMALL_PAYLOAD = `octet_length(y.payload) AS bytes,
  CASE WHEN octet_length(y.payload) <= ${SMALL_BYTES} THEN y.payload END AS payload`;

export async function payloadsFrom(read: Read, from: number, limit: number): Promise<OwnedPayload[]> {
  const rows = await read.all<OwnedPayload>(
    `SELECT c.position, ${ATTRIBUTES}, ${SMALL_PAYLOAD}
     FROM ledger_commits c LEFT JOIN ledger_payloads y ON y.position = c.position
     WHERE c.position >= ? ORDER BY c.position LIMIT CAST(? AS BIGINT)`,
    from,
    limit,
  );
  return rows.map(legible);
}

/** A payload that somebody put something else into, as SQLite allows, is as one that is gone. */
const legible = <Row extends PlacedPayload>(row: Row): Row =>
  row.payload === null || typeof row.payload === "string" ? row : { ...row, bytes: null, payload: null };

export async function payloadAt(read: Read, position: number): Promise<string | undefined> {
  const row = await read.get<{ payload: string }>(
    "SELECT payload FROM ledger_payloads WHERE position = ?",
    position,
  );
  return typeof row?.payload === "string" ? row.payload : undefined;
}

/** What a search narrows down to, in columns of a commit. Times in Unix ms: from the first, below the second. */
export interface CommitFilter {
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  /** A type or a label. */
  readonly event?: string | undefined;
  readonly trace?: string | undefined;
  readonly agent?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly beforeMs?: number | undefined;
}

const CONDITIONS: readonly (readonly [keyof CommitFilter, string])[] = [
  ["model", "c.model = ?"],
  ["provider", "c.provider = ?"],
  ["event", "? IN (c.event, c.label)"],
  ["trace", "c.trace = ?"],
  ["agent", "c.agent = ?"],
  ["fromMs", "c.accepted_ms >= ?"],
  ["beforeMs", "c.accepted_ms < ?"],
];

/** Conditions that a filter sets, each after ` AND `, and their values. */
function conditionsOf(filter: CommitFilter): { readonly sql: string; readonly values: SqlValue[] } {
  const set = CONDITIONS.filter(([name]) => filter[name] !== undefined);
  return {
    sql: set.map(([, condition]) => ` AND ${condition}`).join(""),
    values: set.map(([name]) => filter[name] ?? null),
  };
}

/** The first positions of an account's commits in a range, of one trace where it is named. */
export async function accountPositions(
  read: Read,
  account: number,
  range: Range,
  { trace, order }: { readonly trace?: string | undefined; readonly order: "oldest first" | "newest first" },
): Promise<number[]> {
  return positionsOf(
    await read.all(
      `SELECT position FROM ledger_commits
       WHERE account = ? AND position >= ? AND position < ?${trace === undefined ? "" : " AND trace = ?"}
       ORDER BY position ${order === "newest first" ? "DESC" : "ASC"} LIMIT CAST(? AS BIGINT)`,
      account,
      range.from,
      range.before,
      ...(trace === undefined ? [] : [trace]),
      range.limit,
    ),
  );
}

export async function countOfAccount(read: Read, account: number, before: number): Promise<number> {
  const row = await read.get<{ commits: number }>(
    "SELECT count(*) AS commits FROM ledger_commits WHERE account = ? AND position < ?",
    account,
    before,
  );
  return row?.commits ?? 0;
}

/** Positions asked for in one statement. */
export const POSITIONS_AT_ONCE = 256;
/** Statements are prepared for these numbers of positions, so that few have to be. */
const PREPARED = [8, 64, POSITIONS_AT_ONCE];
const NOWHERE = -1;

/** The payloads of the given commits, whoever's they are; those that were pruned are left out. */
export async function payloadsAt(read: Read, positions: readonly number[]): Promise<PlacedPayload[]> {
  const places = placesFor(positions);
  const rows = await read.all<PlacedPayload>(
    `SELECT y.position, ${SMALL_PAYLOAD} FROM ledger_payloads y WHERE y.position IN (${marks(places)})`,
    ...places,
  );
  return rows.map(legible);
}

/** Bytes of the given commits' payloads; those that were pruned are left out. */
export async function payloadSizes(read: Read, positions: readonly number[]): Promise<Map<number, number>> {
  const places = placesFor(positions);
  const rows = await read.all<{ position: number; bytes: number }>(
    `SELECT position, octet_length(payload) AS bytes FROM ledger_payloads WHERE position IN (${marks(places)})`,
    ...places,
  );
  return new Map(rows.map(({ position, bytes }) => [position, bytes]));
}

/** Those of the given commits that are the account's and pass a filter. */
export async function filtered(
  read: Read,
  account: number,
  positions: readonly number[],
  filter: CommitFilter,
): Promise<number[]> {
  const places = placesFor(positions);
  const { sql, values } = conditionsOf(filter);
  // The plus keeps SQLite from going by the account's index: it knows the places already.
  return positionsOf(
    await read.all(
      `SELECT c.position FROM ledger_commits c
       WHERE +c.account = ? AND c.position IN (${marks(places)})${sql}`,
      account,
      ...places,
      ...values,
    ),
  );
}

function placesFor(positions: readonly number[]): number[] {
  const count = PREPARED.find((places) => places >= positions.length) ?? positions.length;
  return Array.from({ length: count }, (_, at) => positions[at] ?? NOWHERE);
}

const marks = (places: readonly number[]) => places.map(() => "?").join();
