import { DatabaseSync, type StatementSync } from "node:sqlite";
import { DarkMatterError } from "@darkmatter/core";
import type { Row, SqlValue } from "../database.ts";
import { storeError } from "../errors.ts";

/** Run once in a database's life: keeping those of all migrations would take hundreds of kilobytes. */
const DEFINITION = /^\s*(CREATE|ALTER|DROP)\b/i;
/** Statements kept prepared; the one prepared first goes when a new one comes. */
const STATEMENTS_MAX = 500;

/** These would end, nest or reconfigure the transaction that others share. */
const FORBIDDEN = /^\s*(begin|commit|end|rollback|savepoint|release|pragma|attach|detach|vacuum)\b/i;

/** SQLite's primary result codes (sqlite.org/rescode.html); the low byte of an extended one. */
const CODES = {
  3: "DATABASE_READ_ONLY",
  5: "DATABASE_BUSY",
  6: "DATABASE_BUSY",
  8: "DATABASE_READ_ONLY",
  10: "DISK_FAILED",
  11: "DATABASE_DAMAGED",
  13: "DISK_FULL",
  14: "DATABASE_UNREACHABLE",
  19: "CONSTRAINT_BROKEN",
  26: "DATABASE_DAMAGED",
} as const;

export interface ConnectionOptions {
  readonly readOnly: boolean;
  readonly busyTimeoutMs: number;
  /** Hears each statement of a body and of a transaction before it runs; what it throws, the statement throws. */
  readonly onStatement?: ((sql: string) => void) | undefined;
}

/** A statement ready to run, and the names of what it reads. */
interface Prepared {
  readonly statement: StatementSync;
  names: readonly string[];
}

/** One open SQLite database: prepared statements by their text, plain rows, errors by our codes. */
export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();
  readonly #onStatement: ((sql: string) => void) | undefined;

  constructor(location: string, options: ConnectionOptions) {
    this.#onStatement = options.onStatement;
    this.#database = translated(
      () =>
        new DatabaseSync(location, {
          readOnly: options.readOnly,
          timeout: options.busyTimeoutMs,
          enableForeignKeyConstraints: true,
        }),
    );
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  get(sql: string, values: readonly SqlValue[]): Row | undefined {
    try {
      this.#onStatement?.(sql);
      const prepared = this.#prepared(sql);
      const read = prepared.statement.get(...values) as unknown as SqlRow | undefined;
      return read && rowOf(prepared, read);
    } catch (error) {
      throw translate(error);
    }
  }

  all(sql: string, values: readonly SqlValue[]): Row[] {
    try {
      this.#onStatement?.(sql);
      const prepared = this.#prepared(sql);
      const read = prepared.statement.all(...values) as unknown as readonly SqlRow[];
      return read.map((values) => rowOf(prepared, values));
    } catch (error) {
      throw translate(error);
    }
  }

  run(sql: string, values: readonly SqlValue[]): number {
    try {
      this.#onStatement?.(sql);
      return this.#prepared(sql).statement.run(...values).changes as number;
    } catch (error) {
      throw translate(error);
    }
  }

  /** A statement of our own that may steer the transaction; prepared once, for the hot path. */
  control(sql: string): () => void {
    const statement = this.#database.prepare(sql);
    return () => {
      try {
        this.#onStatement?.(sql);
        statement.run();
      } catch (error) {
        throw translate(error);
      }
    };
  }

  /** Reads or sets a setting; the first row. */
  pragma(text: string): Row | undefined {
    return translated(() => this.#database.prepare(`PRAGMA ${text}`).get() as Row | undefined);
  }

  close(): void {
    this.#statements.clear();
    translated(() => this.#database.close());
  }

  #prepared(sql: string): Prepared {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (FORBIDDEN.test(sql)) throw storeError("TRANSACTION_STATEMENT");
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    const prepared: Prepared = { statement, names: NONE };
    if (DEFINITION.test(sql)) {
      // What `SELECT *` reads may be called otherwise from now on.
      this.#statements.clear();
      return prepared;
    }
    if (this.#statements.size >= STATEMENTS_MAX) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(sql, prepared);
    return prepared;
  }
}

type SqlRow = readonly Row[string][];

const NONE: readonly string[] = [];

/** SQLite's own objects take twice as long: it makes each name anew for each row, and gives them no prototype. */
function rowOf(prepared: Prepared, values: SqlRow): Row {
  // `SELECT *` reads more once another process has added a column.
  if (prepared.names.length !== values.length)
    prepared.names = prepared.statement.columns().map(({ name }) => name);
  const row: Record<string, Row[string]> = {};
  for (let at = 0; at < values.length; at++) row[prepared.names[at] as string] = values[at] as Row[string];
  return row;
}

function translated<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): Error {
  if (error instanceof DarkMatterError) return error;
  // An integer that no number holds: none was ever written.
  if (error instanceof Error && "code" in error && error.code === "ERR_OUT_OF_RANGE")
    return storeError("DATABASE_DAMAGED", undefined, error);
  const code = primaryCode(error);
  return storeError(code === undefined ? "DATABASE_FAILED" : CODES[code], undefined, error);
}

function primaryCode(error: unknown): keyof typeof CODES | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  const code = error.errcode & 0xff;
  return code in CODES ? (code as keyof typeof CODES) : undefined;
}
