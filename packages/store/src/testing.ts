import { openSqlite } from "./adapters/sqlite.ts";
import type { Database, Migration } from "./database.ts";
import { storeMigrations } from "./index.ts";
import { migrate } from "./migrate.ts";

/** A database in memory with this package's tables and the given ones. Close it, or take it with `await using`. */
export async function memoryDatabase(migrations: readonly Migration[] = []): Promise<Database> {
  const db = await openSqlite({ path: ":memory:" });
  await migrate(db, [...storeMigrations, ...migrations]);
  return db;
}
