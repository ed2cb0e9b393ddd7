import { clearImmediate, setImmediate } from "node:timers";
import type { PoolClient, QueryResult } from "pg";
import type { Actor, Row, SqlValue, Write } from "../database.ts";
import { storeError } from "../errors.ts";
import type { BodyScope } from "./body-scope.ts";
import { translate } from "./postgres-errors.ts";
import { parameter } from "./postgres-rows.ts";
import { numberParameters } from "./postgres-sql.ts";

export type Follow = () => void | Promise<void>;

/** The same statements are out of a body's hands as on SQLite. */
const FORBIDDEN = /^\s*(begin|start|commit|end|rollback|abort|savepoint|release|set|reset|vacuum)\b/i;

/** What a body writes through, until it is over. */
export class PostgresWrite implements Write {
  readonly #client: PoolClient;
  readonly #scope: BodyScope;
  readonly follows: Follow[] = [];
  /** The last statement asked for; the protocol takes one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #watch: NodeJS.Immediate | undefined;
  #expel: () => void = () => {};

  readonly actor: Actor | undefined;

  constructor(client: PoolClient, scope: BodyScope, actor: Actor | undefined) {
    this.actor = actor;
    this.#client = client;
    this.#scope = scope;
  }

  async get<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined> {
    const [row] = await this.all<T>(sql, ...values);
    return row;
  }

  async all<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T[]> {
    return (await this.#query<T>(sql, values)).rows;
  }

  async run(sql: string, ...values: readonly SqlValue[]): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0;
  }

  async lock(name: string): Promise<void> {
    // A name inserted by a transaction that is still open holds the next one up here already.
    await this.run("INSERT INTO store_locks (name) VALUES (?) ON CONFLICT (name) DO NOTHING", name);
    await this.get("SELECT name FROM store_locks WHERE name = ? FOR UPDATE", name);
  }

  afterCommit(follow: Follow): void {
    this.#scope.check();
    this.follows.push(follow);
  }

  /** Runs a body, and gives up on it when a turn goes by in which it waits for none of its statements. */
  async guard<T>(body: () => Promise<T>): Promise<T> {
    const expelled = Promise.withResolvers<never>();
    this.#expel = () => {
      this.#scope.end("FOREIGN_AWAIT");
      expelled.reject(storeError("FOREIGN_AWAIT"));
    };
    this.#watchTurn();
    try {
      return await Promise.race([body(), expelled.promise]);
    } finally {
      clearImmediate(this.#watch);
      this.#expel = () => {};
    }
  }

  /** Resolves once no statement is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#last]);
  }

  #query<T extends Row>(sql: string, values: readonly SqlValue[]): Promise<QueryResult<T>> {
    const after = this.#last;
    const answer = this.#queryAfter<T>(after, sql, values);
    this.#last = Promise.allSettled([answer]);
    return answer;
  }

  async #queryAfter<T extends Row>(after: Promise<unknown>, sql: string, values: readonly SqlValue[]) {
    this.#scope.check();
    if (FORBIDDEN.test(sql)) throw storeError("TRANSACTION_STATEMENT");
    this.#pending++;
    clearImmediate(this.#watch);
    try {
      await after;
      return await this.#client.query<T>(numberParameters(sql), values.map(parameter));
    } catch (error) {
      throw translate(error);
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#watchTurn();
    }
  }

  #watchTurn(): void {
    clearImmediate(this.#watch);
    this.#watch = setImmediate(() => this.#expel());
  }
}
