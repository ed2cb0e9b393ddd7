import type { Json } from "@darkmatter/core";
import type { Migration, Write } from "./database.ts";
import { storeError } from "./errors.ts";

/** Characters of a caller's key. */
const KEY_MAX = 512;

export const onceMigrations: readonly Migration[] = [
  {
    name: "store/001-once",
    sql: ["CREATE TABLE once_results (key TEXT PRIMARY KEY, result TEXT, swept_at_ms BIGINT)"],
  },
];

/**
 * Does an act once for each key: its result is kept in the act's own transaction, and a repeated call hears the
 * first result. Without a key it is just the act.
 * @throws ONCE_KEY_TOO_LONG, and what the act throws, in which case nothing is kept
 */
export async function once<T extends Json>(
  tx: Write,
  key: string | undefined,
  act: () => Promise<T>,
): Promise<T> {
  if (key === undefined) return act();
  if (key.length > KEY_MAX) throw storeError("ONCE_KEY_TOO_LONG");
  // The row is taken first: on PostgreSQL a second caller waits here until the first has its result on disk.
  const taken = await tx.run("INSERT INTO once_results (key) VALUES (?) ON CONFLICT (key) DO NOTHING", key);
  if (taken === 0) return keptResult<T>(tx, key);
  const result = await act();
  await tx.run("UPDATE once_results SET result = ? WHERE key = ?", JSON.stringify(result), key);
  return result;
}

/**
 * Forgets results that have been kept for `keepMs`; how many. A job calls it. Age counts from the first sweep that
 * met the result, so that `once` needs no clock.
 */
export async function forgetOnce(tx: Write, nowMs: number, keepMs: number): Promise<number> {
  const forgotten = await tx.run("DELETE FROM once_results WHERE swept_at_ms <= ?", nowMs - keepMs);
  await tx.run("UPDATE once_results SET swept_at_ms = ? WHERE swept_at_ms IS NULL", nowMs);
  return forgotten;
}

async function keptResult<T extends Json>(tx: Write, key: string): Promise<T> {
  const row = await tx.get<{ result: string | null }>("SELECT result FROM once_results WHERE key = ?", key);
  // Only an act that calls itself under its own key finds its row without a result.
  if (row?.result == null) throw storeError("NESTED_WRITE", "An act was called again from inside itself.");
  return JSON.parse(row.result) as T;
}
