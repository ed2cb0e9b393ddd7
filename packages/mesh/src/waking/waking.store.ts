import type { Migration, Read, Write } from "@darkmatter/store";

export const wakingMigrations: readonly Migration[] = [
  {
    name: "mesh/wakings",
    dialects: ["sqlite"],
    sql: [
      // `next_at_ms` is NULL when nothing more is to be done.
      `CREATE TABLE mesh_wakings (
         subject TEXT PRIMARY KEY,
         kind TEXT NOT NULL,
         noted_at_ms INTEGER NOT NULL,
         arrival INTEGER,
         step INTEGER NOT NULL DEFAULT 0,
         way TEXT,
         next_at_ms INTEGER
       ) WITHOUT ROWID`,
      "CREATE INDEX mesh_wakings_next ON mesh_wakings (next_at_ms) WHERE next_at_ms IS NOT NULL",
      "CREATE TABLE mesh_waking_asks (way TEXT NOT NULL, at_ms INTEGER NOT NULL)",
    ],
  },
];

export type WayName = "channel" | "hook" | "delegation";

/** Something our agent is to be woken for. */
export interface Waiter {
  /** A message's id, or a request's. */
  readonly subject: string;
  readonly kind: "message" | "request";
  readonly notedAtMs: number;
  /** Which message it is, counted from the first that ever came; `null` for a request. */
  readonly arrival: number | null;
  /** How many of the ways are behind it. */
  readonly step: number;
  /** The way that was asked last. */
  readonly way: WayName | null;
  /** When the next step is due; `null` when nothing more is done for it. */
  readonly nextAtMs: number | null;
}

type WaiterRow = {
  subject: string;
  kind: string;
  noted_at_ms: number;
  arrival: number | null;
  step: number;
  way: string | null;
  next_at_ms: number | null;
};

const fromRow = (row: WaiterRow): Waiter => ({
  subject: row.subject,
  kind: row.kind as Waiter["kind"],
  notedAtMs: row.noted_at_ms,
  arrival: row.arrival,
  step: row.step,
  way: row.way as WayName | null,
  nextAtMs: row.next_at_ms,
});

/** Whether it was new. */
export async function insertWaiter(
  tx: Write,
  { subject, kind, notedAtMs, arrival }: Pick<Waiter, "subject" | "kind" | "notedAtMs" | "arrival">,
): Promise<boolean> {
  const sql = `INSERT INTO mesh_wakings (subject, kind, noted_at_ms, arrival, next_at_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`;
  return (await tx.run(sql, subject, kind, notedAtMs, arrival, notedAtMs)) > 0;
}

export async function readWaiter(tx: Read, subject: string): Promise<Waiter | undefined> {
  const row = await tx.get<WaiterRow>("SELECT * FROM mesh_wakings WHERE subject = ?", subject);
  return row && fromRow(row);
}

export async function readDueWaiters(tx: Read, nowMs: number, limit: number): Promise<Waiter[]> {
  const sql = "SELECT * FROM mesh_wakings WHERE next_at_ms <= ? ORDER BY next_at_ms, noted_at_ms LIMIT +?";
  return (await tx.all<WaiterRow>(sql, nowMs, limit)).map(fromRow);
}

/** Those that were asked and may still answer. */
export async function readAsked(tx: Read): Promise<Waiter[]> {
  const sql = "SELECT * FROM mesh_wakings WHERE way IS NOT NULL AND next_at_ms IS NOT NULL";
  return (await tx.all<WaiterRow>(sql)).map(fromRow);
}

/** When the next step is due; `undefined` when none is. */
export async function readNextStep(tx: Read): Promise<number | undefined> {
  const sql = "SELECT min(next_at_ms) AS at FROM mesh_wakings WHERE next_at_ms IS NOT NULL";
  return (await tx.get<{ at: number | null }>(sql))?.at ?? undefined;
}

export async function saveStep(
  tx: Write,
  subject: string,
  { step, way, nextAtMs }: Pick<Waiter, "step" | "way" | "nextAtMs">,
): Promise<void> {
  const sql = "UPDATE mesh_wakings SET step = ?, way = ?, next_at_ms = ? WHERE subject = ?";
  await tx.run(sql, step, way, nextAtMs, subject);
}

export async function noteAsk(tx: Write, way: WayName, atMs: number): Promise<void> {
  await tx.run("INSERT INTO mesh_waking_asks (way, at_ms) VALUES (?, ?)", way, atMs);
}

/** Times a way was asked since, oldest first. */
export async function readAsks(tx: Read, way: WayName, sinceMs: number): Promise<number[]> {
  const sql = "SELECT at_ms FROM mesh_waking_asks WHERE way = ? AND at_ms > ? ORDER BY at_ms";
  return (await tx.all<{ at_ms: number }>(sql, way, sinceMs)).map((row) => row.at_ms);
}

export async function pruneWakings(tx: Write, beforeMs: number, asksBeforeMs: number): Promise<void> {
  await tx.run("DELETE FROM mesh_wakings WHERE noted_at_ms < ?", beforeMs);
  await tx.run("DELETE FROM mesh_waking_asks WHERE at_ms < ?", asksBeforeMs);
}
