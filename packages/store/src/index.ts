import type { Migration } from "./database.ts";
import { onceMigrations } from "./once.ts";
import { seenMigrations } from "./seen.ts";

export { actingAs } from "./adapters/acting.ts";
export { makeFolders } from "./adapters/folders.ts";
export { nodeFiles, removeHalfWritten } from "./adapters/node-files.ts";
export { openPostgres, type PostgresOptions } from "./adapters/postgres.ts";
export { isSqliteWhole, openSqlite, type SqliteOptions } from "./adapters/sqlite.ts";
export * from "./database.ts";
export * from "./journal.ts";
export * from "./migrate.ts";
export { forgetOnce, once } from "./once.ts";
export { type SeenId, type SeenIds, type Sighting, seenIds } from "./seen.ts";
export { createSqlJournal, type JournalEntry, journalAfter, journalMigrations } from "./sql-journal.ts";

/** The tables of this package: results kept under a key, seen ids. Put them before your own. */
export const storeMigrations: readonly Migration[] = [...onceMigrations, ...seenMigrations];
