import type { Database, Migration } from "@darkmatter/store";

const table = (kind: string) =>
  `CREATE ${kind} ledger_windows (name TEXT PRIMARY KEY, ends_ms BIGINT NOT NULL, acts BIGINT NOT NULL)`;

export const windowMigrations: readonly Migration[] = [
  { name: "ledger-server/003-windows", dialects: ["sqlite"], sql: [table("TABLE")] },
  {
    name: "ledger-server/003-windows-postgres",
    dialects: ["postgres"],
    // Counts are in no log of the engine, so counting waits for no disk; a crash of the engine begins them anew.
    sql: [table("UNLOGGED TABLE")],
  },
];

/** A window as it stands after an act. */
export interface WindowRow {
  readonly acts: number;
  readonly endsMs: number;
}

/** Counts acts in the present window or a new one; `undefined` where they would be more than `limit`. */
export async function countActs(
  db: Database,
  name: string,
  { amount, limit, nowMs, endsMs }: { amount: number; limit: number; nowMs: number; endsMs: number },
): Promise<WindowRow | undefined> {
  const row = await db.write((tx) =>
    tx.get<{ acts: number; ends_ms: number }>(
      `INSERT INTO ledger_windows (name, ends_ms, acts) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET
         acts = CASE WHEN ledger_windows.ends_ms <= ? THEN excluded.acts ELSE
           CASE WHEN ledger_windows.acts + ? < 0 THEN 0 ELSE ledger_windows.acts + ? END END,
         ends_ms = CASE WHEN ledger_windows.ends_ms <= ? THEN excluded.ends_ms ELSE ledger_windows.ends_ms END
       WHERE ledger_windows.ends_ms <= ? OR ledger_windows.acts + ? <= ?
       RETURNING acts, ends_ms`,
      name,
      endsMs,
      Math.max(0, amount),
      nowMs,
      amount,
      amount,
      nowMs,
      nowMs,
      amount,
      limit,
    ),
  );
  return row && { acts: row.acts, endsMs: row.ends_ms };
}

export async function windowNow(db: Database, name: string): Promise<WindowRow | undefined> {
  const row = await db.get<{ acts: number; ends_ms: number }>(
    "SELECT acts, ends_ms FROM ledger_windows WHERE name = ?",
    name,
  );
  return row && { acts: row.acts, endsMs: row.ends_ms };
}

export async function forgetWindows(db: Database, nowMs: number): Promise<void> {
  await db.write((tx) => tx.run("DELETE FROM ledger_windows WHERE ends_ms <= ?", nowMs));
}
