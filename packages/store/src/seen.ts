import type { Migration, Read, Write } from "./database.ts";

export const seenMigrations: readonly Migration[] = [
  {
    name: "store/001-seen-ids",
    sql: ["CREATE TABLE seen_ids (id TEXT PRIMARY KEY, seen_at_ms BIGINT NOT NULL) WITHOUT ROWID"],
    dialects: ["sqlite"],
  },
  {
    name: "store/001-seen-ids-postgres",
    sql: ["CREATE TABLE seen_ids (id TEXT PRIMARY KEY, seen_at_ms BIGINT NOT NULL)"],
    dialects: ["postgres"],
  },
];

export interface SeenId {
  readonly id: string;
  readonly seenAtMs: number;
}

/** The ids of accepted messages, kept so that a repeat is known (mesh.md 2, replay). */
export interface SeenIds {
  /** Notes an id; `false` when it was noted within the last `keepMs`. Of two acts at once exactly one hears `true`. */
  remember(tx: Write, id: string, nowMs: number): Promise<boolean>;
  /** Whether an id is noted, without noting it. */
  has(read: Read, id: string, nowMs: number): Promise<boolean>;
  /** Drops the expired, then the oldest above `max`; how many. A job calls it, so that no message pays for counting. */
  prune(tx: Write, nowMs: number): Promise<number>;
  /** What is not expired, oldest first. */
  live(read: Read, nowMs: number): Promise<readonly SeenId[]>;
}

export function createSeenIds({ keepMs, max }: { readonly keepMs: number; readonly max: number }): SeenIds {
  return {
    async remember(tx, id, nowMs) {
      // An expired row counts as none, whether it was pruned yet or not.
      const changed = await tx.run(
        `INSERT INTO seen_ids (id, seen_at_ms) VALUES (?, ?)
         ON CONFLICT (id) DO UPDATE SET seen_at_ms = excluded.seen_at_ms WHERE seen_ids.seen_at_ms < ?`,
        id,
        nowMs,
        nowMs - keepMs,
      );
      return changed === 1;
    },

    async has(read, id, nowMs) {
      const row = await read.get(
        "SELECT 1 AS yes FROM seen_ids WHERE id = ? AND seen_at_ms >= ?",
        id,
        nowMs - keepMs,
      );
      return row !== undefined;
    },

    async prune(tx, nowMs) {
      const expired = await tx.run("DELETE FROM seen_ids WHERE seen_at_ms < ?", nowMs - keepMs);
      const surplus = await tx.run(
        `DELETE FROM seen_ids WHERE id IN
         (SELECT id FROM seen_ids ORDER BY seen_at_ms DESC, id DESC LIMIT 1000000000 OFFSET ?)`,
        max,
      );
      return expired + surplus;
    },

    async live(read, nowMs) {
      const rows = await read.all<{ id: string; seen_at_ms: number }>(
        "SELECT id, seen_at_ms FROM seen_ids WHERE seen_at_ms >= ? ORDER BY seen_at_ms, id",
        nowMs - keepMs,
      );
      return rows.map((row) => ({ id: row.id, seenAtMs: row.seen_at_ms }));
    },
  };
}
