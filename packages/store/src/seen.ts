import type { Migration, Read, Write } from "./database.ts";

export const seenMigrations: readonly Migration[] = [
  {
    name: "store/001-seen-ids",
    sql: [
      `CREATE TABLE seen_ids (id TEXT PRIMARY KEY, seen_at_ms BIGINT NOT NULL, until_ms BIGINT NOT NULL,
         share TEXT NOT NULL) WITHOUT ROWID`,
      "CREATE INDEX seen_ids_until ON seen_ids (until_ms)",
    ],
    dialects: ["sqlite"],
  },
  {
    name: "store/001-seen-ids-postgres",
    sql: [
      `CREATE TABLE seen_ids (id TEXT PRIMARY KEY, seen_at_ms BIGINT NOT NULL, until_ms BIGINT NOT NULL,
         share TEXT NOT NULL)`,
      "CREATE INDEX seen_ids_until ON seen_ids (until_ms)",
    ],
    dialects: ["postgres"],
  },
];

export interface SeenId {
  readonly id: string;
  readonly seenAtMs: number;
}

/** An id to be remembered. */
export interface Sighting extends SeenId {
  /** Inclusive. */
  readonly untilMs: number;
  /** Whose memory it takes up: counted apart, so that one who brings many pushes out nobody else's. */
  readonly share: string;
}

/** The ids of accepted messages, kept so that a repeat is known (mesh.md 3, replay; 22.3). */
export interface SeenIds {
  /** Notes an id; `false` when it is remembered already. Of two acts at once exactly one hears `true`. */
  remember(tx: Write, sighting: Sighting): Promise<boolean>;
  /** Whether an id is noted, without noting it. */
  has(read: Read, id: string, nowMs: number): Promise<boolean>;
  /** Drops the expired; how many. A job calls it: nothing that is still to be remembered is ever dropped. */
  prune(tx: Write, nowMs: number): Promise<number>;
  /** What was seen at `fromMs` or later and is not expired, the newest `max`, oldest first. */
  live(read: Read, nowMs: number, fromMs: number, max: number): Promise<readonly SeenId[]>;
  /** How many ids are remembered of each share. */
  shares(read: Read, nowMs: number): Promise<ReadonlyMap<string, number>>;
}

export const seenIds: SeenIds = {
  async remember(tx, { id, seenAtMs, untilMs, share }) {
    // An expired row counts as none, whether it was pruned yet or not.
    const changed = await tx.run(
      `INSERT INTO seen_ids (id, seen_at_ms, until_ms, share) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE
         SET seen_at_ms = excluded.seen_at_ms, until_ms = excluded.until_ms, share = excluded.share
         WHERE seen_ids.until_ms < excluded.seen_at_ms`,
      id,
      seenAtMs,
      untilMs,
      share,
    );
    return changed === 1;
  },

  async has(read, id, nowMs) {
    const row = await read.get("SELECT 1 AS yes FROM seen_ids WHERE id = ? AND until_ms >= ?", id, nowMs);
    return row !== undefined;
  },

  prune: (tx, nowMs) => tx.run("DELETE FROM seen_ids WHERE until_ms < ?", nowMs),

  async live(read, nowMs, fromMs, max) {
    const rows = await read.all<{ id: string; seen_at_ms: number }>(
      `SELECT id, seen_at_ms FROM seen_ids WHERE until_ms >= ? AND seen_at_ms >= ?
       ORDER BY seen_at_ms DESC, id DESC LIMIT CAST(? AS BIGINT)`,
      nowMs,
      fromMs,
      max,
    );
    return rows.map((row) => ({ id: row.id, seenAtMs: Number(row.seen_at_ms) })).reverse();
  },

  async shares(read, nowMs) {
    const rows = await read.all<{ share: string; n: number }>(
      "SELECT share, count(*) AS n FROM seen_ids WHERE until_ms >= ? GROUP BY share",
      nowMs,
    );
    return new Map(rows.map(({ share, n }) => [share, Number(n)]));
  },
};
