import { hasCode } from "@darkmatter/core";
import type { Actor, Row, SqlValue, Write } from "../database.ts";
import type { BodyScope } from "./body-scope.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";

export type Follow = () => void | Promise<void>;

/** Bodies that share a transaction. Broken ends them all early: by the disk, or by SQLite rolling back under them. */
export interface Group {
  broken: { readonly kind: "disk" | "rolled-back"; readonly error: unknown } | undefined;
}

/** What a body writes through, until it is over. Statements run at once: only their answer is a promise. */
export class SqliteWrite implements Write {
  readonly #connection: SqliteConnection;
  readonly #scope: BodyScope;
  readonly #group: Group;
  readonly actor: Actor | undefined;
  follows: Follow[] | undefined;

  constructor(connection: SqliteConnection, scope: BodyScope, group: Group, actor: Actor | undefined) {
    this.actor = actor;
    this.#connection = connection;
    this.#scope = scope;
    this.#group = group;
  }

  async get<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined> {
    this.#check();
    try {
      return this.#connection.get(sql, values) as T | undefined;
    } catch (error) {
      throw this.#noted(error);
    }
  }

  async all<T extends Row>(sql: string, ...values: readonly SqlValue[]): Promise<T[]> {
    this.#check();
    try {
      return this.#connection.all(sql, values) as T[];
    } catch (error) {
      throw this.#noted(error);
    }
  }

  async run(sql: string, ...values: readonly SqlValue[]): Promise<number> {
    this.#check();
    try {
      return this.#connection.run(sql, values);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  async lock(_name: string): Promise<void> {
    this.#check();
  }

  afterCommit(follow: Follow): void {
    this.#check();
    this.follows ??= [];
    this.follows.push(follow);
  }

  #check(): void {
    this.#scope.check();
    if (this.#group.broken) throw this.#group.broken.error;
  }

  /** A body may swallow an error; one that ended the transaction must not be forgotten with it. */
  #noted(error: unknown): unknown {
    if (isDiskError(error)) this.#group.broken = { kind: "disk", error };
    else if (!this.#connection.inTransaction) this.#group.broken = { kind: "rolled-back", error };
    return error;
  }
}

export function isDiskError(error: unknown): boolean {
  return hasCode(error, "DISK_FULL") || hasCode(error, "DISK_FAILED");
}
