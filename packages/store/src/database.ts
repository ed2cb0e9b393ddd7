export type SqlValue = null | number | string | Uint8Array;
export type Row = Record<string, SqlValue>;

/**
 * Reading. Never sees rows that are not committed, except through the `tx` that wrote them. `?` marks parameters.
 * SQLite prepares a statement with a bare `LIMIT ?` anew each time it is run: write `LIMIT +?`, and where PostgreSQL
 * runs it, too, which has to be told the type, `LIMIT CAST(? AS BIGINT)`.
 */
export interface Read {
  /** The first row or `undefined`. Column values: TEXT string, INTEGER and REAL number, BLOB Uint8Array. */
  get<T extends Row = Row>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined>;
  all<T extends Row = Row>(sql: string, ...values: readonly SqlValue[]): Promise<T[]>;
}

/** Who does an act in the agent's place, by a grant of the agent (mesh.md 22.7). */
export interface Actor {
  /** Names the grant in the agent's own books (`delegation.granted`), also once nothing is signed by it any more. */
  readonly delegation: string;
  /** Its Ed25519 key, 64 lower-case hex characters. */
  readonly publicKey: string;
  /** The SHA-256 of the grant's RFC 8785 text, hex. */
  readonly grant: string;
  /** Its signature over a text, hex; `undefined` once its time is over. Asks nobody and waits for nothing. */
  sign(text: string): string | undefined;
}

/** One act. Everything written through it lands together or not at all. */
export interface Write extends Read {
  /** Who acts in the agent's place (`actingAs`); `undefined` where the agent itself does, and for what follows acts. */
  readonly actor: Actor | undefined;
  /** Runs one statement; the number of rows it changed. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>;
  /** Makes acts that lock the same name serial (a locked row on PostgreSQL; nothing on SQLite, which is serial). */
  lock(name: string): Promise<void>;
  /**
   * Registers what must follow once the act is on disk (a wake, a callback, a push). Never runs for an act that
   * failed. What it throws is reported, not thrown to the writer.
   */
  afterCommit(follow: () => void | Promise<void>): void;
}

/**
 * The one database of a passport (design.md 5).
 *
 * `write` runs bodies one after another. A body awaits nothing but its `tx`, may be run again, and touches nothing
 * outside; the promise resolves after the COMMIT that holds it. A body that throws undoes only itself. When a COMMIT
 * fails for want of disk every body in it rejects; when for anything else each is run again alone. A nested `write`
 * and a foreign await are detected and throw.
 */
export interface Database extends Read, AsyncDisposable {
  readonly dialect: "sqlite" | "postgres";
  write<T>(body: (tx: Write) => Promise<T>): Promise<T>;
  /**
   * Makes what was deleted or overwritten unreadable in the files, too. `false` when copies may remain: another process
   * still reads an older state (try again later), or the engine keeps them until it cleans up by itself (PostgreSQL).
   */
  purge(): Promise<boolean>;
  /** Finishes what is running, then closes. */
  close(): Promise<void>;
}

/** One step of a package's schema; steps run once, in order, and are never edited after release. */
export interface Migration {
  /** Unique over all packages, such as `mesh/001-connections`. */
  readonly name: string;
  /** Statements, for both dialects unless `dialects` says otherwise. */
  readonly sql: readonly string[];
  readonly dialects?: readonly Database["dialect"][];
}
