import { fromHex, toHex } from "@darkmatter/core";
import type { Frontier } from "@darkmatter/proof";
import type { Migration, Read, Write } from "@darkmatter/store";
import { ledgerError } from "../errors.ts";
import type { Commit } from "./commit.ts";
import { EMPTY_TAIL, type Tail } from "./tail.ts";

const HASH_BYTES = 32;
const HASH_CHARACTERS = 2 * HASH_BYTES;

// The tree's node (level, index), level >= 1, lies in row (index + 1) * 2^level - 1, the leaf that completes it, at
// byte (level - 1) * 32 of `nodes`: no table of nodes, and no index of one, grows with the log.
const commitColumns = (bytes: string, text: string) => `
  position BIGINT NOT NULL PRIMARY KEY,
  id ${text} NOT NULL UNIQUE,
  trace ${text} NOT NULL,
  parent BIGINT,
  root BIGINT NOT NULL,
  accepted_ms BIGINT NOT NULL,
  payload TEXT NOT NULL,
  payload_hash ${bytes} NOT NULL,
  chain_hash ${bytes} NOT NULL,
  integrity_hash ${bytes} NOT NULL,
  leaf ${bytes} NOT NULL,
  log_root ${bytes} NOT NULL,
  nodes ${bytes} NOT NULL`;

/** The table of the log's end. */
export const TAIL: readonly string[] = [
  `CREATE TABLE ledger_tail (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     size BIGINT NOT NULL,
     log_root TEXT,
     frontier TEXT NOT NULL
   )`,
  "INSERT INTO ledger_tail (one, size, log_root, frontier) VALUES (1, 0, NULL, '')",
];

// Traces are random, and what is written all over an index costs a page for each row. So only a trace's first commit
// is found by it, and the others by the first one's position: those rows lie together, at the index's end.
const BY_TRACE = [
  "CREATE UNIQUE INDEX ledger_commits_trace ON ledger_commits (trace) WHERE parent IS NULL",
  "CREATE INDEX ledger_commits_root ON ledger_commits (root, position)",
];

/** What keeps a table of commits as it was written; SQL for after the table. */
export const COMMITS_STAY: Readonly<Record<"sqlite" | "postgres", readonly string[]>> = {
  sqlite: [
    `CREATE TRIGGER ledger_commits_keep BEFORE UPDATE ON ledger_commits
     BEGIN SELECT RAISE(ABORT, 'a commit is never changed'); END`,
    `CREATE TRIGGER ledger_commits_stay BEFORE DELETE ON ledger_commits
     BEGIN SELECT RAISE(ABORT, 'a commit is never deleted'); END`,
    // A REPLACE would delete without waking the trigger above.
    `CREATE TRIGGER ledger_commits_new BEFORE INSERT ON ledger_commits
     WHEN EXISTS (SELECT 1 FROM ledger_commits WHERE position >= new.position)
     BEGIN SELECT RAISE(ABORT, 'a commit is never replaced'); END`,
  ],
  postgres: [
    `CREATE FUNCTION ledger_commits_refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'a commit is never changed or deleted'; END $$`,
    `CREATE TRIGGER ledger_commits_keep BEFORE UPDATE OR DELETE ON ledger_commits
     FOR EACH ROW EXECUTE FUNCTION ledger_commits_refuse()`,
    `CREATE TRIGGER ledger_commits_stay BEFORE TRUNCATE ON ledger_commits
     FOR EACH STATEMENT EXECUTE FUNCTION ledger_commits_refuse()`,
  ],
};

export const commitMigrations: readonly Migration[] = [
  {
    name: "ledger/001-commits",
    dialects: ["sqlite"],
    sql: [
      // `INTEGER PRIMARY KEY` is SQLite's row number; `BIGINT` would be an index beside it.
      `CREATE TABLE ledger_commits (${commitColumns("BLOB", "TEXT").replace("BIGINT NOT NULL", "INTEGER")})`,
      ...BY_TRACE,
      ...COMMITS_STAY.sqlite,
      ...TAIL,
    ],
  },
  {
    name: "ledger/001-commits-postgres",
    dialects: ["postgres"],
    sql: [
      // Ids are compared by their bytes, so that those with one beginning lie together.
      `CREATE TABLE ledger_commits (${commitColumns("BYTEA", 'TEXT COLLATE "C"')})`,
      ...BY_TRACE,
      ...COMMITS_STAY.postgres,
      ...TAIL,
    ],
  },
];

type TailRow = { size: number; log_root: string | null; frontier: string };

/** @throws LEDGER_DAMAGED */
export async function readTail(read: Read): Promise<Tail> {
  return tailOf(await read.get<TailRow>("SELECT size, log_root, frontier FROM ledger_tail WHERE one = 1"));
}

/** The tail, its row held until the transaction is over: one statement where `lock` takes two. @throws LEDGER_DAMAGED */
export async function holdTail(tx: Write): Promise<Tail> {
  const sql = "UPDATE ledger_tail SET size = size WHERE one = 1 RETURNING size, log_root, frontier";
  return tailOf(await tx.get<TailRow>(sql));
}

const LOG_ROOT = /^[0-9a-f]{64}$/;
const FRONTIER = /^(?:[0-9a-f]{64})*$/;

function tailOf(row: TailRow | undefined): Tail {
  if (row?.size === 0) return EMPTY_TAIL;
  if (!row || !Number.isSafeInteger(row.size) || !isText(row.log_root, LOG_ROOT)) throw lostEnd();
  const frontier = frontierIn(row.frontier);
  if (frontier?.length !== perfectSubtrees(row.size)) throw lostEnd();
  return { size: row.size, logRoot: row.log_root, frontier };
}

const lostEnd = () => ledgerError("LEDGER_DAMAGED", "The ledger has lost the record of its end.");

/** One for each bit of the size that is set (RFC 9162, 2.1.2). */
const perfectSubtrees = (size: number) => size.toString(2).replaceAll("0", "").length;

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === "string" && form.test(value);

/** The frontier written last, which the next append reads again: taking it apart costs more than comparing it. */
let written: { readonly text: string; readonly frontier: Frontier } = { text: "", frontier: [] };

function frontierIn(text: unknown): Frontier | undefined {
  if (text === written.text) return written.frontier;
  return isText(text, FRONTIER) ? hashesIn(text) : undefined;
}

export async function writeTail(tx: Write, { size, logRoot, frontier }: Tail): Promise<void> {
  const text = frontier.join("");
  await tx.run(
    "UPDATE ledger_tail SET size = ?, log_root = ?, frontier = ? WHERE one = 1",
    size,
    logRoot,
    text,
  );
  written = { text, frontier };
}

function hashesIn(text: string): string[] {
  return Array.from({ length: Math.ceil(text.length / HASH_CHARACTERS) }, (_, at) =>
    text.slice(at * HASH_CHARACTERS, (at + 1) * HASH_CHARACTERS),
  );
}

export async function insertCommit(tx: Write, commit: Commit): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_commits (position, id, trace, parent, root, accepted_ms, payload, payload_hash,
       chain_hash, integrity_hash, leaf, log_root, nodes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    commit.position,
    commit.id,
    commit.trace,
    commit.parent,
    commit.root,
    commit.acceptedMs,
    commit.payload,
    bytesOf(commit.payloadHash),
    bytesOf(commit.chainHash),
    bytesOf(commit.integrityHash),
    bytesOf(commit.leaf),
    bytesOf(commit.logRoot),
    bytesOf(commit.nodes.join("")),
  );
}

export function bytesOf(hash: string): Uint8Array {
  const bytes = fromHex(hash);
  if (!bytes) throw new RangeError("not a hash in hex");
  return bytes;
}

/** What the next commit of a trace has to know of the one before it. */
export interface Parent {
  readonly position: number;
  /** The position of the trace's first commit. */
  readonly root: number;
  readonly chainHash: string;
  readonly integrityHash: string;
}

type ParentRow = { position: number; root: number; chain_hash: Uint8Array; integrity_hash: Uint8Array };

function parentOf({ position, root, chain_hash, integrity_hash }: ParentRow): Parent {
  if (!(chain_hash instanceof Uint8Array && integrity_hash instanceof Uint8Array))
    throw ledgerError("LEDGER_DAMAGED", `The commit at position ${position} is unreadable.`);
  return { position, root, chainHash: toHex(chain_hash), integrityHash: toHex(integrity_hash) };
}

/** SQL for the rows of a trace. */
export const OF_TRACE = "root = (SELECT position FROM ledger_commits WHERE trace = ? AND parent IS NULL)";

/** The last commit of a trace, before a position when one is given. */
export async function lastOfTrace(
  read: Read,
  trace: string,
  before = Number.MAX_SAFE_INTEGER,
): Promise<Parent | undefined> {
  const row = await read.get<ParentRow>(
    `SELECT position, root, chain_hash, integrity_hash FROM ledger_commits
     WHERE ${OF_TRACE} AND position < ? ORDER BY position DESC LIMIT 1`,
    trace,
    before,
  );
  return row && parentOf(row);
}

type CommitRow = ParentRow & {
  id: string;
  trace: string;
  parent: number | null;
  accepted_ms: number;
  payload: string;
  payload_hash: Uint8Array;
  leaf: Uint8Array;
  log_root: Uint8Array;
  nodes: Uint8Array;
};

function fromRow(row: CommitRow): Commit {
  if (!isWhole(row))
    throw ledgerError("LEDGER_DAMAGED", `The commit at position ${row.position} is unreadable.`);
  return {
    ...parentOf(row),
    id: row.id,
    trace: row.trace,
    parent: row.parent,
    acceptedMs: row.accepted_ms,
    payload: row.payload,
    payloadHash: toHex(row.payload_hash),
    leaf: toHex(row.leaf),
    logRoot: toHex(row.log_root),
    nodes: hashesIn(toHex(row.nodes)),
  };
}

/** The last millisecond that a `Date` can hold (ECMA-262 21.4.1.1). */
const TIME_MAX_MS = 8.64e15;

/** A flipped bit of a SQLite file may turn a column into one of another type. */
function isWhole(row: CommitRow): boolean {
  const hashes = [row.payload_hash, row.chain_hash, row.integrity_hash, row.leaf, row.log_root, row.nodes];
  return (
    [row.id, row.trace, row.payload].every((text) => typeof text === "string") &&
    hashes.every((hash) => hash instanceof Uint8Array && hash.length % HASH_BYTES === 0) &&
    (row.parent === null || Number.isInteger(row.parent)) &&
    Number.isInteger(row.root) &&
    Number.isInteger(row.accepted_ms) &&
    Math.abs(row.accepted_ms) <= TIME_MAX_MS
  );
}

/** Commits that meet a condition, written in SQL after WHERE. */
export async function commitsWhere(
  read: Read,
  condition: string,
  ...values: readonly (number | string | Uint8Array)[]
): Promise<Commit[]> {
  const rows = await read.all<CommitRow>(`SELECT * FROM ledger_commits WHERE ${condition}`, ...values);
  return rows.map(fromRow);
}

export async function commitAt(read: Read, position: number): Promise<Commit | undefined> {
  const [commit] = await commitsWhere(read, "position = ?", position);
  return commit;
}

/** The log's root after the commit at a position. */
export async function logRootAt(read: Read, position: number): Promise<string | undefined> {
  const row = await read.get<{ log_root: Uint8Array }>(
    "SELECT log_root FROM ledger_commits WHERE position = ?",
    position,
  );
  return row?.log_root instanceof Uint8Array && row.log_root.length === HASH_BYTES
    ? toHex(row.log_root)
    : undefined;
}

/** The highest position in the table, whatever the tail says. */
export async function lastPosition(read: Read): Promise<number | undefined> {
  const row = await read.get<{ position: number | null }>(
    "SELECT max(position) AS position FROM ledger_commits",
  );
  return row?.position ?? undefined;
}

/** The first position from one on that has a row. */
export async function nextPosition(read: Read, from: number): Promise<number | undefined> {
  const row = await read.get<{ position: number | null }>(
    "SELECT min(position) AS position FROM ledger_commits WHERE position >= ?",
    from,
  );
  return row?.position ?? undefined;
}

/** The stored node of the tree; `undefined` when its row is gone or too short. */
export async function storedNode(read: Read, level: number, index: number): Promise<string | undefined> {
  const row = await read.get<{ node: Uint8Array }>(
    level === 0
      ? "SELECT leaf AS node FROM ledger_commits WHERE position = ?"
      : `SELECT substr(nodes, ${(level - 1) * HASH_BYTES + 1}, ${HASH_BYTES}) AS node
         FROM ledger_commits WHERE position = ?`,
    (index + 1) * 2 ** level - 1,
  );
  return row?.node instanceof Uint8Array && row.node.length === HASH_BYTES ? toHex(row.node) : undefined;
}
