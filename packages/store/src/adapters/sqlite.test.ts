import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { Database } from "../database.ts";
import { migrate, storeMigrations } from "../index.ts";
import { closeAfterAll, databaseSuite } from "../testing/database-suite.ts";
import { tablesSuite } from "../testing/tables-suite.ts";
import { tempFolder } from "../testing/temp-folder.ts";
import { openSqlite } from "./sqlite.ts";

const onEnd = closeAfterAll();

function openMemory(): Promise<Database> {
  return openSqlite({ path: ":memory:" });
}

function openFile(): Promise<Database> {
  const folder = tempFolder();
  onEnd(() => folder[Symbol.dispose]());
  return openSqlite({ path: join(folder.path, "deep", "er", "state.db") });
}

databaseSuite("SQLite in memory", openMemory);
databaseSuite("SQLite in a file", openFile);
tablesSuite("SQLite in memory", openMemory);
tablesSuite("SQLite in a file", openFile);

test("a file is its owner's alone, logged ahead and synced at each COMMIT", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using db = await openSqlite({ path });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY)"));
  const modes = ["", "-wal", "-shm"].map((suffix) => statSync(path + suffix).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600, 0o600]);
  expect(await db.get("SELECT journal_mode FROM pragma_journal_mode")).toEqual({ journal_mode: "wal" });
  expect(await db.get("SELECT synchronous FROM pragma_synchronous")).toEqual({ synchronous: 2 });
  expect(await db.get("SELECT foreign_keys FROM pragma_foreign_keys")).toEqual({ foreign_keys: 1 });
});

test("a database opened for reading sees what a running node commits, and writes nothing", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using node = await openSqlite({ path });
  await node.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY)"));
  await using reader = await openSqlite({ path, readOnly: true });
  await node.write((tx) => tx.run("INSERT INTO notes VALUES (1)"));
  expect(await reader.all("SELECT id FROM notes")).toEqual([{ id: 1 }]);
  const write = reader.write((tx) => tx.run("INSERT INTO notes VALUES (2)"));
  await expect(write).rejects.toMatchObject({ code: "DATABASE_READ_ONLY" });
});

const SECRET = "what-nobody-may-read-again";

test("what was deleted or overwritten is in none of the files after a purge", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using db = await openSqlite({ path });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  for (let id = 0; id < 200; id++) {
    // Some fit into a page with many others, some fill several.
    const text = id % 7 === 0 ? `${SECRET}${id}`.repeat(700) : `${SECRET}${id}`;
    await db.write((tx) => tx.run("INSERT INTO notes VALUES (?, ?)", id, text));
  }
  const found = () => ["", "-wal"].some((suffix) => readFileSync(path + suffix).includes(SECRET));
  expect(await db.purge()).toBe(true);
  expect(found()).toBe(true);

  await db.write((tx) => tx.run("UPDATE notes SET text = 'gone' WHERE id % 2 = 0"));
  await db.write((tx) => tx.run("DELETE FROM notes WHERE id % 2 = 1"));
  expect(await db.purge()).toBe(true);

  expect(found()).toBe(false);
  expect(await db.get("SELECT count(*) AS notes FROM notes WHERE text = 'gone'")).toEqual({ notes: 100 });
});

test("a purge says that copies remain while another process still reads an older state", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using db = await openSqlite({ path });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY)"));
  using reader = new DatabaseSync(path, { readOnly: true });
  reader.exec("BEGIN; SELECT * FROM notes");
  await db.write((tx) => tx.run("INSERT INTO notes VALUES (1)"));
  const started = performance.now();
  expect(await db.purge()).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
  reader.exec("COMMIT");
  expect(await db.purge()).toBe(true);
});

test("of a damaged file what is left can be read when that is asked for", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const db = await openSqlite({ path });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  for (let id = 0; id < 40; id++)
    await db.write((tx) => tx.run("INSERT INTO notes VALUES (?, ?)", id, "x".repeat(1000)));
  await db.close();
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0xa5, bytes.length - 4096));

  await expect(openSqlite({ path, readOnly: true })).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
  await using left = await openSqlite({ path, readOnly: true, evenDamaged: true });
  expect(await left.get("SELECT id FROM notes WHERE id = 0")).toEqual({ id: 0 });
  await expect(left.all("SELECT * FROM notes")).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
});

test("a database opened for reading must exist, and is not made", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "none", "state.db");
  await expect(openSqlite({ path, readOnly: true })).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  expect(statSync(join(folder.path, "none"), { throwIfNoEntry: false })).toBeUndefined();
});

test("a file written by a newer version is refused and stays as it is to the byte", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const newer = await openSqlite({ path });
  await migrate(newer, [
    ...storeMigrations,
    { name: "mesh/099-later", sql: ["CREATE TABLE later (id BIGINT)"] },
  ]);
  await newer.close();
  const before = readFileSync(path);
  const older = await openSqlite({ path });
  await expect(migrate(older, storeMigrations)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
  await older.close();
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("while another process holds the file a write is refused as busy, and nothing is lost", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using db = await openSqlite({ path, busyTimeoutMs: 20 });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY)"));
  const other = new DatabaseSync(path);
  other.exec("BEGIN EXCLUSIVE");
  const blocked = db.write((tx) => tx.run("INSERT INTO notes VALUES (1)"));
  await expect(blocked).rejects.toMatchObject({ code: "DATABASE_BUSY", retryable: true });
  await expect(openSqlite({ path, busyTimeoutMs: 20 })).rejects.toMatchObject({ code: "DATABASE_BUSY" });
  other.exec("ROLLBACK");
  other.close();
  expect(await db.write((tx) => tx.run("INSERT INTO notes VALUES (2)"))).toBe(1);
});

test("more statements than are kept prepared work all the same", async () => {
  await using db = await openMemory();
  for (let n = 0; n < 1100; n++) expect(await db.get(`SELECT ${n} AS n`)).toEqual({ n });
});

test("what reads all columns follows the table, by whomever it is changed", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  await using db = await openSqlite({ path });
  const all = () => db.all("SELECT * FROM notes");
  const make = (...names: string[]) =>
    db.write(async (tx) => {
      await tx.run("DROP TABLE IF EXISTS notes");
      await tx.run(`CREATE TABLE notes (${names.join()})`);
      await tx.run(`INSERT INTO notes VALUES (${names.map((_, at) => at).join()})`);
    });
  await make("one", "two");
  expect(await all()).toEqual([{ one: 0, two: 1 }]);
  await make("three", "four");
  expect(await all()).toEqual([{ three: 0, four: 1 }]);
  const other = new DatabaseSync(path);
  other.exec("ALTER TABLE notes ADD COLUMN five DEFAULT 5");
  other.close();
  expect(await all()).toEqual([{ three: 0, four: 1, five: 5 }]);
});

test("a new database has pages as small as was asked for, and tables can be made again in it", async () => {
  await using db = await openSqlite({ path: ":memory:", pageBytes: 1024 });
  expect(await db.get("SELECT page_size FROM pragma_page_size")).toEqual({ page_size: 1024 });

  const make = () => db.write(async (tx) => void (await tx.run("CREATE TABLE things (name TEXT)")));
  await make();
  await expect(make()).rejects.toThrow();
  await db.write(async (tx) => void (await tx.run("DROP TABLE things")));
  await make();
  expect(await db.all("SELECT * FROM things")).toEqual([]);
});
