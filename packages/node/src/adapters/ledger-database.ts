import { existsSync } from "node:fs";
import { join } from "node:path";
import { inServerWords, ledgerServerMigrations } from "@darkmatter/ledger/server";
import { type Database, openPostgres, openSqlite, requireMigrated, storeMigrations } from "@darkmatter/store";
import { nodeError } from "../errors.ts";

/** The file of a ledger server that has no other database. */
export function ledgerFile(home: string): string {
  return join(home, "ledger", "ledger.db");
}

/**
 * A ledger server's database, for its operator; the server may run meanwhile. Nothing is made and nothing migrated.
 * @throws NO_LEDGER_SERVER, DATABASE_OLDER, DATABASE_NEWER, DATABASE_UNREACHABLE
 */
export async function openLedgerDatabase(
  home: string,
  url: string | undefined,
  purpose: "read" | "write",
): Promise<Database> {
  const path = ledgerFile(home);
  if (url === undefined && !existsSync(path))
    throw nodeError("NO_LEDGER_SERVER", `No ledger server has run with ${home}.`);
  try {
    return await opened(url, path, purpose);
  } catch (error) {
    throw inServerWords(error);
  }
}

async function opened(url: string | undefined, path: string, purpose: "read" | "write"): Promise<Database> {
  const db =
    url !== undefined
      ? await openPostgres({ url, connections: 2 })
      : await openSqlite(purpose === "read" ? { path, readOnly: true, evenDamaged: true } : { path });
  try {
    await requireMigrated(db, [...storeMigrations, ...ledgerServerMigrations]);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
