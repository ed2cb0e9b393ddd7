import { systemClock } from "@darkmatter/core";
import { describe, expect, type TestContext, test } from "vitest";
import type { Database, Migration } from "../database.ts";
import {
  createSqlJournal,
  forgetOnce,
  journalAfter,
  journalMigrations,
  migrate,
  once,
  requireMigrated,
  seenIds,
  storeMigrations,
} from "../index.ts";
import type { OpenDatabase } from "./database-suite.ts";
import { journalSuite } from "./journal-suite.ts";

/** What this package keeps in tables, on a database of one's choice: migrations, once, seen ids, the journal. */
export function tablesSuite(name: string, open: OpenDatabase): void {
  describe(`tables: ${name}`, () => {
    migrateSuite(open);
    onceSuite(open);
    seenSuite(open);
  });
  journalSuite(name, async (context) => {
    const db = await migrated(open, context);
    return { db, journal: createSqlJournal(systemClock), entries: () => journalAfter(db, 0, 100) };
  });
}

async function migrated(open: OpenDatabase, context: TestContext): Promise<Database> {
  const db = await open(context);
  await migrate(db, [...storeMigrations, ...journalMigrations]);
  return db;
}

const STEPS: readonly Migration[] = [
  { name: "test/001", sql: ["CREATE TABLE first (id BIGINT)", "INSERT INTO first VALUES (1)"] },
  { name: "test/002", sql: ["CREATE TABLE second (id BIGINT)"] },
];

function migrateSuite(open: OpenDatabase): void {
  test("steps run once, in order, however often and from however many sides they are asked for", async (context) => {
    await using db = await open(context);
    await Promise.all([migrate(db, STEPS.slice(0, 1)), migrate(db, STEPS.slice(0, 1))]);
    await expect(requireMigrated(db, STEPS)).rejects.toMatchObject({ code: "DATABASE_OLDER" });
    await migrate(db, STEPS);
    await migrate(db, STEPS);
    await requireMigrated(db, STEPS);
    expect(await db.all("SELECT id FROM first")).toEqual([{ id: 1 }]);
    expect(await db.all("SELECT id FROM second")).toEqual([]);
  });

  test("a database with steps that are not in the list is a newer version's, and is left as it is", async (context) => {
    await using db = await open(context);
    await migrate(db, STEPS);
    const older = [STEPS[0]!, { name: "test/001b", sql: ["CREATE TABLE third (id BIGINT)"] }];
    await expect(migrate(db, older)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
    await expect(requireMigrated(db, older)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
    await expect(db.get("SELECT * FROM third")).rejects.toMatchObject({ code: "DATABASE_FAILED" });
    await migrate(db, STEPS);
  });

  test("a database whose bookkeeping has a newer shape is refused", async (context) => {
    await using db = await open(context);
    await migrate(db, STEPS);
    await db.write((tx) => tx.run("UPDATE store_format SET version = version + 1"));
    await expect(migrate(db, STEPS)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
  });

  test("a step that fails leaves nothing of itself or of those before it", async (context) => {
    await using db = await open(context);
    const broken = [...STEPS, { name: "test/003", sql: ["CREATE TABLE second (id BIGINT)"] }];
    await expect(migrate(db, broken)).rejects.toMatchObject({ code: "DATABASE_FAILED" });
    await expect(requireMigrated(db, STEPS)).rejects.toMatchObject({ code: "DATABASE_OLDER" });
    await migrate(db, STEPS);
  });

  test("two steps of one name are refused", async (context) => {
    await using db = await open(context);
    await expect(migrate(db, [...STEPS, STEPS[0]!])).rejects.toMatchObject({ code: "MIGRATIONS_WRONG" });
  });

  test("a step for the other dialect is left out", async (context) => {
    await using db = await open(context);
    const other = db.dialect === "sqlite" ? "postgres" : "sqlite";
    await migrate(db, [{ name: "test/other", sql: ["NONSENSE"], dialects: [other] }, ...STEPS]);
    await requireMigrated(db, STEPS);
  });
}

function onceSuite(open: OpenDatabase): void {
  test("many calls under one key act once and all hear the first result", async (context) => {
    await using db = await migrated(open, context);
    await migrate(db, [
      ...storeMigrations,
      ...journalMigrations,
      { name: "test/acts", sql: ["CREATE TABLE acts (n BIGINT)"] },
    ]);
    const calls = Array.from({ length: 8 }, (_, n) =>
      db.write((tx) =>
        once(tx, "call-1", async () => {
          await tx.run("INSERT INTO acts (n) VALUES (?)", n);
          return { answer: [n, null, "☃"] };
        }),
      ),
    );
    const answers = await Promise.all(calls);
    const acted = await db.all<{ n: number }>("SELECT n FROM acts");
    expect(acted).toHaveLength(1);
    for (const answer of answers) expect(answer).toEqual({ answer: [acted[0]?.n, null, "☃"] });
  });

  test("an act that fails keeps nothing, and its key may be used again", async (context) => {
    await using db = await migrated(open, context);
    const failing = db.write((tx) =>
      once(tx, "k", async () => {
        throw new Error("no");
      }),
    );
    await expect(failing).rejects.toThrow("no");
    expect(await db.write((tx) => once(tx, "k", async () => null))).toBeNull();
    expect(await db.write((tx) => once(tx, "k", async () => 2))).toBeNull();
  });

  test("without a key each call acts, other keys are other acts, and a key has a length", async (context) => {
    await using db = await migrated(open, context);
    const answers: unknown[] = [];
    for (const key of [undefined, undefined, "a", "b"]) {
      answers.push(await db.write((tx) => once(tx, key, async () => answers.length)));
    }
    expect(answers).toEqual([0, 1, 2, 3]);
    const long = db.write((tx) => once(tx, "k".repeat(513), async () => 1));
    await expect(long).rejects.toMatchObject({ code: "ONCE_KEY_TOO_LONG" });
  });

  test("results are forgotten once they were kept long enough", async (context) => {
    await using db = await migrated(open, context);
    const call = (result: number) => db.write((tx) => once(tx, "k", async () => result));
    const sweep = (nowMs: number) => db.write((tx) => forgetOnce(tx, nowMs, 100));
    await call(1);
    expect([await sweep(1000), await sweep(1099), await call(2)]).toEqual([0, 0, 1]);
    expect([await sweep(1100), await call(3)]).toEqual([1, 3]);
  });
}

function seenSuite(open: OpenDatabase): void {
  const sighting = (id: string, seenAtMs: number, share = "") => ({
    id,
    seenAtMs,
    untilMs: seenAtMs + 300,
    share,
  });

  test("of many that bring the same id exactly one is told it is new", async (context) => {
    await using db = await migrated(open, context);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => db.write((tx) => seenIds.remember(tx, sighting("m", 1000)))),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
  });

  test("an id is known to the end of its time, and not longer", async (context) => {
    await using db = await migrated(open, context);
    const remember = (nowMs: number) => db.write((tx) => seenIds.remember(tx, sighting("m", nowMs)));
    expect([await remember(1000), await remember(1300), await remember(1301), await remember(1400)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([await seenIds.has(db, "m", 1601), await seenIds.has(db, "m", 1602)]).toEqual([true, false]);
  });

  test("an act that fails has seen nothing", async (context) => {
    await using db = await migrated(open, context);
    const failing = db.write(async (tx) => {
      await seenIds.remember(tx, sighting("m", 1000));
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await db.write((tx) => seenIds.remember(tx, sighting("m", 1000)))).toBe(true);
  });

  test("pruning drops the expired and nothing else; each share is counted apart", async (context) => {
    await using db = await migrated(open, context);
    for (const at of [1000, 1100, 1200, 1300, 1400, 1500]) {
      await db.write((tx) => seenIds.remember(tx, sighting(`m${at}`, at, at < 1400 ? "one" : "two")));
    }
    const live = await seenIds.live(db, 1401, 0, 3);
    expect(live.map((each) => each.id)).toEqual(["m1300", "m1400", "m1500"]);
    expect(await seenIds.live(db, 1401, 1500, 3)).toEqual([{ id: "m1500", seenAtMs: 1500 }]);
    expect(await db.write((tx) => seenIds.prune(tx, 1401))).toBe(2);
    expect([...(await seenIds.shares(db, 1401))].sort()).toEqual([
      ["one", 2],
      ["two", 2],
    ]);
  });
}
