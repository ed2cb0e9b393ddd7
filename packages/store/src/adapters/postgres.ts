import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import type { Database, Row, SqlValue, Write } from "../database.ts";
import { storeError } from "../errors.ts";
import { actingAs, actorNow } from "./acting.ts";
import { BodyScope, BodyScopes } from "./body-scope.ts";
import { isRetryable, openingError, translate } from "./postgres-errors.ts";
import { columnTypes, parameter } from "./postgres-rows.ts";
import { numberParameters } from "./postgres-sql.ts";
import { postgresTarget } from "./postgres-target.ts";
import { type Follow, PostgresWrite } from "./postgres-write.ts";
import { warn } from "./report.ts";

const CONNECTIONS_MAX = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** A body that lost against another transaction runs again, this many times at most. */
const ATTEMPTS_MAX = 8;
/** The wait before the second attempt; it doubles, and half of it is by chance so that losers part ways. */
const RETRY_FIRST_MS = 4;
const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;
/** An arbitrary number that all our processes lock while the schema is made. */
const SETUP_LOCK = 7_231_009;

export interface PostgresOptions {
  /** `postgresql://user:password@host:port/database`, or any other text that libpq's URIs allow. */
  readonly url: string;
  /** Keeps our tables apart from others'; made when missing. */
  readonly schema?: string;
  readonly connections?: number;
  /** Told what `afterCommit` callbacks throw, and of idle connections that broke; a process warning otherwise. */
  readonly report?: (error: unknown) => void;
}

/**
 * Opens a PostgreSQL database: each body is its own READ COMMITTED transaction over a pool, so bodies do run side by
 * side; what must be serial takes `tx.lock(name)`. Unlike on SQLite a failed statement ends its transaction.
 *
 * @throws DATABASE_UNREACHABLE, naming host and port; DATABASE_URL_REFUSED, DATABASE_READ_ONLY
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const schema = options.schema ?? "public";
  if (!SCHEMA.test(schema))
    throw storeError("DATABASE_FAILED", "A schema is named in small letters, digits and _.");
  const report = options.report ?? warn;
  // Only servers come this way: a laptop's start does not pay for the library.
  const pg = await import("pg");
  // A client that is never connected: what the library makes of a URL.
  const { url, where } = postgresTarget(
    options.url,
    (read) => new pg.default.Client({ connectionString: read }),
  );
  const pool = new pg.default.Pool({
    connectionString: url,
    max: options.connections ?? CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: `-c search_path=${schema}`,
    types: columnTypes,
  });
  pool.on("error", (error) => report(translate(error)));
  try {
    await prepareSchema(pool, schema);
  } catch (error) {
    await pool.end();
    throw openingError(error, where);
  }
  return new PostgresDatabase(pool, report);
}

/** Two processes may start at once, and `IF NOT EXISTS` does not keep them apart. */
async function prepareSchema(pool: Pool, schema: string): Promise<void> {
  await pool.query(`
    BEGIN;
    SELECT pg_advisory_xact_lock(${SETUP_LOCK});
    CREATE SCHEMA IF NOT EXISTS ${schema};
    CREATE TABLE IF NOT EXISTS store_locks (name TEXT PRIMARY KEY);
    COMMIT`);
}

class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  readonly #pool: Pool;
  readonly #report: (error: unknown) => void;
  readonly #scopes = new BodyScopes();
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(pool: Pool, report: (error: unknown) => void) {
    this.#pool = pool;
    this.#report = report;
  }

  async get<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined> {
    const [row] = await this.all<T>(sql, ...values);
    return row;
  }

  async all<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T[]> {
    this.#scopes.refuseBypass();
    this.#refuseClosed();
    try {
      const { rows } = await this.#pool.query<T>(numberParameters(sql), values.map(parameter));
      return rows;
    } catch (error) {
      throw translate(error);
    }
  }

  async write<T>(body: (tx: Write) => Promise<T>): Promise<T> {
    this.#scopes.refuseNestedWrite();
    this.#refuseClosed();
    const act = this.#attempts(body);
    this.#running.add(act);
    try {
      return await act;
    } finally {
      this.#running.delete(act);
    }
  }

  async purge(): Promise<boolean> {
    this.#refuseClosed();
    return false;
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(() => this.#pool.end());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseClosed(): void {
    if (this.#closed) throw storeError("DATABASE_CLOSED");
  }

  async #attempts<T>(body: (tx: Write) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#transact(body);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX || !isRetryable(error)) throw error;
        const waitMs = RETRY_FIRST_MS * 2 ** attempt;
        await sleep(waitMs / 2 + Math.random() * (waitMs / 2));
      }
    }
  }

  async #transact<T>(body: (tx: Write) => Promise<T>): Promise<T> {
    const client = await this.#begin();
    let broken: Error | undefined;
    // A connection that breaks while it is ours would end the process if nobody listened.
    const onBreak = (error: Error) => {
      broken = error;
    };
    client.on("error", onBreak);
    const scope = new BodyScope();
    const tx = new PostgresWrite(client, scope, actorNow());
    try {
      const value = await tx.guard(() => this.#scopes.run(scope, () => body(tx)));
      scope.end("TRANSACTION_OVER");
      await commit(client);
      for (const follow of tx.follows) this.#follow(follow);
      return value;
    } catch (error) {
      scope.end("TRANSACTION_OVER");
      await tx.settled();
      broken ??= await rollback(client);
      throw error;
    } finally {
      client.off("error", onBreak);
      client.release(broken);
    }
  }

  async #begin(): Promise<PoolClient> {
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw translate(error);
    }
    try {
      await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
      return client;
    } catch (error) {
      client.release(translate(error));
      throw translate(error);
    }
  }

  async #follow(follow: Follow): Promise<void> {
    try {
      await actingAs(undefined, follow);
    } catch (error) {
      this.#report(error);
    }
  }
}

async function commit(client: PoolClient): Promise<void> {
  let tag: string;
  try {
    tag = (await client.query("COMMIT")).command;
  } catch (error) {
    const refused = translate(error);
    const isCut = "code" in refused && refused.code === "DATABASE_UNREACHABLE";
    throw isCut ? storeError("COMMIT_UNKNOWN", undefined, error) : refused;
  }
  // @NOTE COMMIT of an aborted transaction is answered ROLLBACK, and that is no error to the protocol.
  if (tag !== "COMMIT") throw storeError("TRANSACTION_ABORTED");
}

/** Leaves the connection clean; what it answers is why it must be thrown away. */
async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query("ROLLBACK");
    return undefined;
  } catch (error) {
    return translate(error);
  }
}
