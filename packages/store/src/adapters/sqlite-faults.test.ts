import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Database } from "../database.ts";
import { createFaults, sqliteFault } from "../testing/faults.ts";
import { tempFolder } from "../testing/temp-folder.ts";
import { tinyDisk } from "../testing/tiny-disk.ts";
import { openSqlite } from "./sqlite.ts";

const FULL = 13;
const IO_ERROR = 10;
const INTERNAL = 2;

async function faultyNotes() {
  const faults = createFaults();
  const db = await openSqlite({ path: ":memory:", onStatement: faults.onStatement });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  return { faults, db };
}

function addNotes(db: Database, ...ids: number[]): Promise<PromiseSettledResult<number>[]> {
  return Promise.allSettled(ids.map((id) => addNote(db, id)));
}

function addNote(db: Database, id: number, text = ""): Promise<number> {
  return db.write((tx) => tx.run("INSERT INTO notes (id, text) VALUES (?, ?)", id, text));
}

async function ids(db: Database): Promise<number[]> {
  return (await db.all<{ id: number }>("SELECT id FROM notes ORDER BY id")).map((row) => row.id);
}

function said(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? "ok" : outcome.reason.code));
}

test("bodies that wait at the start of a turn share one COMMIT, each in a savepoint", async () => {
  const { db, faults } = await faultyNotes();
  const before = faults.count("COMMIT");
  await addNotes(db, 1, 2, 3, 4, 5);
  expect(faults.count("COMMIT") - before).toBe(1);
  expect(faults.count("SAVEPOINT")).toBe(5);
  expect(faults.count("RELEASE")).toBe(5);
});

test.each([
  [FULL, "DISK_FULL"],
  [IO_ERROR, "DISK_FAILED"],
])(
  "a COMMIT that fails for want of disk (%i) rejects every body, and the next write works",
  async (code, name) => {
    const { db, faults } = await faultyNotes();
    faults.failNext("COMMIT", sqliteFault(code));
    expect(said(await addNotes(db, 1, 2, 3))).toEqual([name, name, name]);
    expect(await ids(db)).toEqual([]);
    expect(said(await addNotes(db, 1, 4))).toEqual(["ok", "ok"]);
    expect(await ids(db)).toEqual([1, 4]);
  },
);

test("a COMMIT that fails for anything else runs each body again alone, and follows only once", async () => {
  const { db, faults } = await faultyNotes();
  const ran: number[] = [];
  const followed: number[] = [];
  faults.failNext("COMMIT", sqliteFault(INTERNAL));
  const acts = [1, 2, 3].map((id) =>
    db.write(async (tx) => {
      ran.push(id);
      tx.afterCommit(() => void followed.push(id));
      await tx.run("INSERT INTO notes (id) VALUES (?)", id);
    }),
  );
  expect(said(await Promise.allSettled(acts))).toEqual(["ok", "ok", "ok"]);
  expect(ran).toEqual([1, 2, 3, 1, 2, 3]);
  expect(followed).toEqual([1, 2, 3]);
});

test("a statement that finds the disk full rejects the whole group, even when its body hides it", async () => {
  const { db, faults } = await faultyNotes();
  faults.failNext("INSERT", sqliteFault(FULL), 1);
  const acts = [1, 2, 3].map((id) =>
    db.write((tx) => tx.run("INSERT INTO notes (id) VALUES (?)", id).catch(() => 0)),
  );
  expect(said(await Promise.allSettled(acts))).toEqual(["DISK_FULL", "DISK_FULL", "DISK_FULL"]);
  expect(await ids(db)).toEqual([]);
  expect(said(await addNotes(db, 9))).toEqual(["ok"]);
});

test("a repeat of what a full disk did not keep hears of the disk, not that it is a repeat", async () => {
  const { db, faults } = await faultyNotes();
  faults.failNext("COMMIT", sqliteFault(FULL));
  expect(said(await addNotes(db, 1, 1))).toEqual(["DISK_FULL", "DISK_FULL"]);
  expect(said(await addNotes(db, 1, 1))).toEqual(["ok", "CONSTRAINT_BROKEN"]);
});

test("a repeat of what the rules did not keep is no repeat", async () => {
  const { db } = await faultyNotes();
  await db.write((tx) =>
    tx.run("CREATE TABLE replies (note INTEGER REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)"),
  );
  const orphan = db.write(async (tx) => {
    await tx.run("INSERT INTO notes (id) VALUES (1)");
    await tx.run("INSERT INTO replies VALUES (99)");
  });
  expect(said(await Promise.allSettled([orphan, addNote(db, 1)]))).toEqual(["CONSTRAINT_BROKEN", "ok"]);
});

test("a body that was expelled is not run again when its group is", async () => {
  const { db, faults } = await faultyNotes();
  faults.failNext("COMMIT", sqliteFault(INTERNAL));
  let runs = 0;
  const foreign = db.write(() => {
    runs++;
    return sleep(5);
  });
  expect(said(await Promise.allSettled([foreign, addNote(db, 1)]))).toEqual(["FOREIGN_AWAIT", "ok"]);
  expect(runs).toBe(1);
});

test("a BEGIN that finds the file locked rejects every body as busy", async () => {
  const { db, faults } = await faultyNotes();
  faults.failNext("BEGIN", sqliteFault(5));
  expect(said(await addNotes(db, 1, 2))).toEqual(["DATABASE_BUSY", "DATABASE_BUSY"]);
  expect(said(await addNotes(db, 3))).toEqual(["ok"]);
});

test("a body whose statement rolls everything back takes nobody with it, even when it hides the error", async () => {
  const { db } = await faultyNotes();
  await addNotes(db, 2);
  const rollsBack = (hide: boolean) =>
    db.write(async (tx) => {
      const insert = tx.run("INSERT OR ROLLBACK INTO notes (id) VALUES (2)");
      await (hide ? insert.catch(() => 0) : insert);
      await tx.run("INSERT INTO notes (id) VALUES (66)");
    });
  const outcomes = await Promise.allSettled([
    addNote(db, 1),
    rollsBack(false),
    addNote(db, 3),
    rollsBack(true),
    addNote(db, 4),
  ]);
  expect(said(outcomes)).toEqual(["ok", "CONSTRAINT_BROKEN", "ok", "CONSTRAINT_BROKEN", "ok"]);
  expect(await ids(db)).toEqual([1, 2, 3, 4]);
});

test("what afterCommit throws is reported and never reaches the writer", async () => {
  const reported: unknown[] = [];
  await using db = await openSqlite({ path: ":memory:", report: (error) => void reported.push(error) });
  const act = db.write(async (tx) => {
    tx.afterCommit(() => {
      throw new Error("at once");
    });
    tx.afterCommit(async () => {
      throw new Error("later");
    });
    return "done";
  });
  expect(await act).toBe("done");
  expect(reported).toEqual([new Error("at once"), new Error("later")]);
});

test("a body runs in nobody else's asynchronous context", async () => {
  const { AsyncLocalStorage } = await import("node:async_hooks");
  await using db = await openSqlite({ path: ":memory:" });
  const session = new AsyncLocalStorage<string>();
  const seen = ["ana", "bo"].map((who) =>
    session.run(who, () => db.write(async () => session.getStore() ?? "nobody")),
  );
  expect(await Promise.all(seen)).toEqual(["nobody", "nobody"]);
});

test("more bodies than may wait are refused as busy, and those that wait are served", async () => {
  const { db } = await faultyNotes();
  const outcomes = await addNotes(db, ...Array.from({ length: 20_050 }, (_, id) => id));
  expect(said(outcomes).filter((each) => each === "ok")).toHaveLength(20_000);
  expect(said(outcomes).filter((each) => each === "DATABASE_BUSY")).toHaveLength(50);
});

test("a file that may not grow refuses with DISK_FULL, keeps what it acknowledged, and serves again after", async () => {
  using folder = tempFolder();
  await fillUp(folder.path, 60);
});

test("a disk that is full refuses with DISK_FULL, keeps what it acknowledged, and serves again after", async (context) => {
  using disk = tinyDisk(1024);
  if (!disk) return context.skip("this process may not mount a small disk");
  await fillUp(disk.path, undefined);
});

/** Writes in groups until the disk is full, then checks that exactly the acknowledged are there and space helps. */
async function fillUp(folder: string, maxPages: number | undefined): Promise<void> {
  const path = join(folder, "state.db");
  const db = await openSqlite({ path, ...(maxPages !== undefined && { maxPages }) });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  const acknowledged: number[] = [];
  const refusals: unknown[] = [];
  for (let first = 0; refusals.length === 0 && first < 10_000; first += 8) {
    const group = Array.from({ length: 8 }, (_, at) => first + at);
    const outcomes = await Promise.allSettled(group.map((id) => addNote(db, id, "x".repeat(2000))));
    outcomes.forEach((outcome, at) => {
      if (outcome.status === "fulfilled") acknowledged.push(group[at]!);
      else refusals.push(outcome.reason.code);
    });
  }
  expect(new Set(refusals)).toEqual(new Set(["DISK_FULL"]));
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(await ids(db)).toEqual(acknowledged);
  if (maxPages !== undefined) {
    await db.write((tx) => tx.run("DELETE FROM notes WHERE id > 3"));
    await addNote(db, 7_000, "after");
  }
  await db.close();
  await using again = await openSqlite({ path });
  expect(await ids(again)).toEqual(maxPages === undefined ? acknowledged : [0, 1, 2, 3, 7_000]);
}

test.each([
  [
    "not a database at all",
    (path: string) => writeFileSync(path, "not a database at all, whatever its name says ".repeat(99)),
  ],
  ["cut short", (path: string) => truncateSync(path, 8192 + 100)],
  ["overwritten inside", (path: string) => overwrite(path)],
])("a file that is %s is refused as damaged and left as it is", async (_, damage) => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const db = await openSqlite({ path });
  await db.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  for (let id = 0; id < 40; id++) await addNote(db, id, "x".repeat(1000));
  await db.close();
  damage(path);
  const before = readFileSync(path);

  await expect(openSqlite({ path })).rejects.toMatchObject({
    code: "DATABASE_DAMAGED",
    hint: expect.any(String),
  });
  await expect(openSqlite({ path, readOnly: true })).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });

  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readdirSync(folder.path)).toContain("state.db");
});

function overwrite(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096, 4096 * 3);
  writeFileSync(path, bytes);
}
