import { openSqlite } from "./adapters/sqlite.ts";
import type { Database, Migration } from "./database.ts";
import { journalMigrations, storeMigrations } from "./index.ts";
import { migrate } from "./migrate.ts";

/** A database in memory with this package's tables, the plain journal's and the given ones. Close it, or take it with `await using`. */
export async function memoryDatabase(migrations: readonly Migration[] = []): Promise<Database> {
  const db = await openSqlite({ path: ":memory:" });
  await migrate(db, [...storeMigrations, ...journalMigrations, ...migrations]);
  return db;
}

export { closeAfterAll, databaseSuite, type OpenDatabase } from "./testing/database-suite.ts";
export { createFaults, type Faults, sqliteFault } from "./testing/faults.ts";
export { filesSuite } from "./testing/files-suite.ts";
export { journalSuite, type OpenJournal } from "./testing/journal-suite.ts";
export { memoryFiles } from "./testing/memory-files.ts";
export { type PrivatePostgres, startPrivatePostgres } from "./testing/private-postgres.ts";
export { tablesSuite } from "./testing/tables-suite.ts";
export { tempFolder } from "./testing/temp-folder.ts";
export { tinyDisk } from "./testing/tiny-disk.ts";
