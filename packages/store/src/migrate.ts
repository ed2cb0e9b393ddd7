import type { Database, Migration, Read } from "./database.ts";
import { storeError } from "./errors.ts";

/** The shape of the bookkeeping itself; a database with a higher one is a newer program's. */
const FORMAT = 1;

/**
 * Brings a database up to date: runs the steps it has not seen, in the order given, all in one transaction.
 * @throws DATABASE_NEWER when it holds steps that are not in the list (nothing is changed), MIGRATIONS_WRONG
 */
export async function migrate(db: Database, migrations: readonly Migration[]): Promise<void> {
  const ours = migrations.filter((step) => step.dialects === undefined || step.dialects.includes(db.dialect));
  if (new Set(ours.map((step) => step.name)).size !== ours.length) throw storeError("MIGRATIONS_WRONG");
  const known = await appliedNames(db, db.dialect);
  refuseNewer(known, ours);
  if (known && ours.every((step) => known.has(step.name))) return;
  await db.write(async (tx) => {
    await tx.lock("migrate");
    for (const sql of BOOKKEEPING) await tx.run(sql);
    await tx.run(
      "INSERT INTO store_format (one, version) VALUES (1, ?) ON CONFLICT (one) DO NOTHING",
      FORMAT,
    );
    // Another process may have come first while this one waited for the lock.
    const applied = (await appliedNames(tx, db.dialect)) ?? new Set();
    refuseNewer(applied, ours);
    for (const step of ours) {
      if (applied.has(step.name)) continue;
      for (const sql of step.sql) await tx.run(sql);
      await tx.run("INSERT INTO store_migrations (name) VALUES (?)", step.name);
    }
  });
}

/**
 * Refuses a database that does not stand exactly where these migrations leave it; for readers, who change nothing.
 * @throws DATABASE_NEWER, DATABASE_OLDER
 */
export async function requireMigrated(db: Database, migrations: readonly Migration[]): Promise<void> {
  const ours = migrations.filter((step) => step.dialects === undefined || step.dialects.includes(db.dialect));
  const applied = await appliedNames(db, db.dialect);
  refuseNewer(applied, ours);
  if (!applied || ours.some((step) => !applied.has(step.name))) throw storeError("DATABASE_OLDER");
}

const BOOKKEEPING = [
  "CREATE TABLE IF NOT EXISTS store_format (one INTEGER PRIMARY KEY, version INTEGER NOT NULL)",
  "CREATE TABLE IF NOT EXISTS store_migrations (name TEXT PRIMARY KEY)",
];

const IS_MIGRATED = {
  sqlite: "SELECT 1 AS yes FROM sqlite_schema WHERE type = 'table' AND name = 'store_migrations'",
  postgres: "SELECT 1 AS yes WHERE to_regclass('store_migrations') IS NOT NULL",
} as const;

/** The names of the steps done; `undefined` for a database that was never migrated. */
async function appliedNames(read: Read, dialect: Database["dialect"]): Promise<Set<string> | undefined> {
  if (!(await read.get(IS_MIGRATED[dialect]))) return undefined;
  const format = await read.get<{ version: number }>("SELECT version FROM store_format");
  if (format && format.version > FORMAT) throw storeError("DATABASE_NEWER");
  const rows = await read.all<{ name: string }>("SELECT name FROM store_migrations");
  return new Set(rows.map((row) => row.name));
}

function refuseNewer(applied: ReadonlySet<string> | undefined, ours: readonly Migration[]): void {
  const names = new Set(ours.map((step) => step.name));
  for (const name of applied ?? []) if (!names.has(name)) throw storeError("DATABASE_NEWER");
}
