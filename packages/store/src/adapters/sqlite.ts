import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { hasCode } from "@darkmatter/core";
import type { Database, Row, SqlValue, Write } from "../database.ts";
import { storeError } from "../errors.ts";
import { BodyScopes } from "./body-scope.ts";
import { fileError, isReadOnly } from "./file-errors.ts";
import { GroupCommit } from "./group-commit.ts";
import { warn } from "./report.ts";
import { SqliteConnection } from "./sqlite-connection.ts";

const MEMORY = ":memory:";
/** How long a statement waits for another process's lock. It holds the event loop meanwhile. */
const BUSY_TIMEOUT_MS = 2000;
/** Larger files are checked only as far as they are used: reading them whole would delay the start. */
const CHECKED_MAX_BYTES = 64 * 1024 * 1024;
/** Pages the write-ahead log holds (32 MiB) before it is copied into the file: hot pages are copied once for many acts. */
const CHECKPOINT_PAGES = 8000;
/** Pages kept in memory: ids are looked up at random places of their indices. */
const CACHE_KIB = 16 * 1024;

export interface SqliteOptions {
  /** A file (made when missing, with its folders) or `:memory:`. */
  readonly path: string;
  /** For reading with no node running: the file must exist, `write` is refused. */
  readonly readOnly?: boolean;
  /** With `readOnly`: opens a damaged file, too, for what can still be read of it. */
  readonly evenDamaged?: boolean;
  readonly busyTimeoutMs?: number;
  /** Refuses growth beyond this many pages with DISK_FULL. */
  readonly maxPages?: number;
  /** A power of two from 512, for a new database; 4096 by default. Each table and index takes a page at least. */
  readonly pageBytes?: number;
  /** Hears each statement before it runs, `BEGIN` and `COMMIT` included; what it throws, the statement throws. */
  readonly onStatement?: (sql: string) => void;
  /** Told what `afterCommit` callbacks throw; a process warning otherwise. */
  readonly report?: (error: unknown) => void;
}

/**
 * Opens a SQLite database: write-ahead log, `synchronous=FULL`, foreign keys on, group commit.
 *
 * One connection serves reads and writes. A read waits while a group is open, so that it never sees uncommitted
 * rows; since a group is over within its turn, a second connection would bring nothing but a colder cache.
 *
 * @throws DATABASE_DAMAGED, DATABASE_MISSING, DATABASE_READ_ONLY, DATABASE_BUSY, DATABASE_UNREACHABLE; a refused
 * file is left as it was.
 */
export async function openSqlite(options: SqliteOptions): Promise<Database> {
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
  const connection = options.readOnly
    ? openForReading(options.path, busyTimeoutMs, options.evenDamaged ?? false)
    : openForWriting(options, busyTimeoutMs);
  return new SqliteDatabase(connection, options.readOnly ?? false, busyTimeoutMs, options.report ?? warn);
}

/**
 * Whether SQLite finds a file whole, tables and indices: more than `openSqlite` asks of it. Reads all of it, and holds
 * the event loop meanwhile. Others may use it.
 *
 * @throws DATABASE_MISSING, DATABASE_READ_ONLY, DATABASE_BUSY, DATABASE_UNREACHABLE
 */
export function isSqliteWhole(path: string): boolean {
  const connection = openForReading(path, BUSY_TIMEOUT_MS, true);
  try {
    return connection.pragma("integrity_check(1)")?.integrity_check === "ok";
  } catch (error) {
    if (hasCode(error, "DATABASE_DAMAGED")) return false;
    throw error;
  } finally {
    connection.close();
  }
}

class SqliteDatabase implements Database {
  readonly dialect = "sqlite";
  readonly #connection: SqliteConnection;
  readonly #scopes = new BodyScopes();
  readonly #groups: GroupCommit;
  readonly #readOnly: boolean;
  readonly #busyTimeoutMs: number;
  #closed: Promise<void> | undefined;

  constructor(
    connection: SqliteConnection,
    readOnly: boolean,
    busyTimeoutMs: number,
    report: (error: unknown) => void,
  ) {
    this.#connection = connection;
    this.#readOnly = readOnly;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#groups = new GroupCommit(connection, this.#scopes, report);
  }

  async get<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined> {
    if (this.#mustWait()) await this.#committed();
    return this.#connection.get(sql, values) as T | undefined;
  }

  async all<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T[]> {
    if (this.#mustWait()) await this.#committed();
    return this.#connection.all(sql, values) as T[];
  }

  async write<T>(body: (tx: Write) => Promise<T>): Promise<T> {
    this.#scopes.refuseNestedWrite();
    if (this.#closed) throw storeError("DATABASE_CLOSED");
    if (this.#readOnly) throw storeError("DATABASE_READ_ONLY", "The database was opened for reading.");
    return this.#groups.write(body) as Promise<T>;
  }

  async purge(): Promise<boolean> {
    if (this.#mustWait()) await this.#committed();
    if (this.#readOnly) throw storeError("DATABASE_READ_ONLY", "The database was opened for reading.");
    // Deleting overwrites (secure_delete), but older pages lie in the log until it is copied over and cut. Another
    // process may hold that up for as long as it reads: nobody here waits for it.
    this.#connection.pragma("busy_timeout = 0");
    try {
      return this.#connection.pragma("wal_checkpoint(TRUNCATE)")?.busy === 0;
    } finally {
      this.#connection.pragma(`busy_timeout = ${this.#busyTimeoutMs}`);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#groups.idle().then(() => this.#connection.close());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Mostly nothing is open, and a read is over without a turn. */
  #mustWait(): boolean {
    this.#scopes.refuseBypass();
    return this.#groups.open !== undefined || this.#closed !== undefined;
  }

  async #committed(): Promise<void> {
    while (this.#groups.open) await this.#groups.open;
    if (this.#closed) throw storeError("DATABASE_CLOSED");
  }
}

function openForWriting(options: SqliteOptions, busyTimeoutMs: number): SqliteConnection {
  const { path, maxPages, pageBytes, onStatement } = options;
  if (path !== MEMORY) {
    prepareFile(path);
    refuseDamaged(path, busyTimeoutMs);
  }
  const connection = new SqliteConnection(path, { readOnly: false, busyTimeoutMs, onStatement });
  try {
    if (pageBytes !== undefined) connection.pragma(`page_size = ${pageBytes}`);
    connection.pragma("journal_mode = WAL");
    connection.pragma("synchronous = FULL");
    // What a body that fails would undo is written here, for each body of a group: a file would cost more than the log.
    connection.pragma("temp_store = MEMORY");
    connection.pragma("secure_delete = ON");
    connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.pragma(`cache_size = -${CACHE_KIB}`);
    if (maxPages !== undefined) connection.pragma(`max_page_count = ${maxPages}`);
    // SQLite opens a file it may not write for reading alone, and says so only at the first write.
    connection.control("BEGIN IMMEDIATE")();
    connection.control("ROLLBACK")();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The log and the index beside the file inherit its mode, so it is made before SQLite would. */
function prepareFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
  } catch (error) {
    if (!isReadOnly(error)) throw fileError(error, path);
    throw storeError("DATABASE_READ_ONLY", `The database ${path} cannot be written.`, error);
  }
}

/** Looks through a file with a connection that cannot change it. */
function refuseDamaged(path: string, busyTimeoutMs: number): void {
  const { size } = statSync(path);
  if (size === 0) return;
  const connection = new SqliteConnection(path, { readOnly: true, busyTimeoutMs });
  try {
    refuseUnsound(connection, size);
  } finally {
    connection.close();
  }
}

function refuseUnsound(connection: SqliteConnection, sizeBytes: number): void {
  const whole = sizeBytes <= CHECKED_MAX_BYTES;
  const answer = connection.pragma(whole ? "quick_check(1)" : "schema_version");
  if (whole && answer?.quick_check !== "ok") throw storeError("DATABASE_DAMAGED");
}

function openForReading(path: string, busyTimeoutMs: number, evenDamaged: boolean): SqliteConnection {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw storeError("DATABASE_MISSING");
  const logged = statSync(`${path}-wal`, { throwIfNoEntry: false });
  // In a folder that cannot be written SQLite cannot make its index; with no log there is nothing to index.
  const locations = logged ? [path] : [path, `${pathToFileURL(path).href}?immutable=1`];
  let refusal: unknown;
  for (const location of locations) {
    const connection = new SqliteConnection(location, { readOnly: true, busyTimeoutMs });
    try {
      refuseUnsound(connection, size);
      return connection;
    } catch (error) {
      if (evenDamaged && hasCode(error, "DATABASE_DAMAGED")) return connection;
      connection.close();
      if (!hasCode(error, "DATABASE_UNREACHABLE") && !hasCode(error, "DATABASE_READ_ONLY")) throw error;
      refusal = error;
    }
  }
  throw refusal;
}
