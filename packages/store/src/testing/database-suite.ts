import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, describe, expect, type TestContext, test } from "vitest";
import type { Database, Write } from "../database.ts";

/** Opens a database that holds nothing yet, each time another one; may `context.skip` what cannot run here. */
export type OpenDatabase = (context: TestContext) => Promise<Database>;

const NOTES = "CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)";
const ADD = "INSERT INTO notes (id, text) VALUES (?, ?)";

async function withNotes(open: OpenDatabase, context: TestContext): Promise<Database> {
  const db = await open(context);
  await db.write((tx) => tx.run(NOTES));
  return db;
}

async function ids(db: Database): Promise<number[]> {
  return (await db.all<{ id: number }>("SELECT id FROM notes ORDER BY id")).map((row) => row.id);
}

function codes(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? "ok" : outcome.reason.code));
}

/** What every adapter of the Database port does. Run it on yours: `databaseSuite("mine", () => openMine())`. */
export function databaseSuite(name: string, open: OpenDatabase): void {
  describe(`database: ${name}`, () => {
    rowSuite(open);
    actSuite(open);
    misuseSuite(open);
    afterCommitSuite(open);
  });
}

function rowSuite(open: OpenDatabase): void {
  test("rows come back as they went in, as plain objects", async (context) => {
    await using db = await open(context);
    const bytes = db.dialect === "sqlite" ? "BLOB" : "BYTEA";
    await db.write((tx) =>
      tx.run(`CREATE TABLE kinds (t TEXT, n BIGINT, r DOUBLE PRECISION, b ${bytes}, missing TEXT)`),
    );
    const row = {
      t: "it's ? ☃",
      n: Number.MAX_SAFE_INTEGER,
      r: 0.1,
      b: new Uint8Array([0, 255, 7]),
      missing: null,
    };
    await db.write((tx) => tx.run("INSERT INTO kinds VALUES (?, ?, ?, ?, ?)", ...Object.values(row)));

    expect(await db.get("SELECT * FROM kinds")).toStrictEqual(row);
    expect(await db.all("SELECT * FROM kinds")).toStrictEqual([row]);
    expect(await db.get("SELECT '?' AS mark, ? AS \"what?\" -- why?", "x")).toStrictEqual({
      mark: "?",
      "what?": "x",
    });
    expect(await db.get("SELECT * FROM kinds WHERE n = ?", 3)).toBeUndefined();
  });

  test("run answers how many rows changed", async (context) => {
    await using db = await withNotes(open, context);
    const changed = await db.write(async (tx) => [
      await tx.run(ADD, 1, "a"),
      await tx.run(ADD, 2, "a"),
      await tx.run(`${ADD} ON CONFLICT (id) DO NOTHING`, 2, "b"),
      await tx.run("UPDATE notes SET text = ?", "c"),
      await tx.run("DELETE FROM notes WHERE id > ?", 5),
    ]);
    expect(changed).toEqual([1, 1, 0, 2, 0]);
  });
}

function actSuite(open: OpenDatabase): void {
  test("a body that throws undoes only itself", async (context) => {
    await using db = await withNotes(open, context);
    const acts = [1, 2, 3, 4, 5].map((id) =>
      db.write(async (tx) => {
        await tx.run(ADD, id, "");
        if (id % 2 === 0) throw Object.assign(new Error("no"), { code: "OWN" });
        return id;
      }),
    );
    expect(codes(await Promise.allSettled(acts))).toEqual(["ok", "OWN", "ok", "OWN", "ok"]);
    expect(await ids(db)).toEqual([1, 3, 5]);
  });

  test("a row that the rules forbid fails its act and no other", async (context) => {
    await using db = await withNotes(open, context);
    const acts = [1, 1, 2].map((id) => db.write((tx) => tx.run(ADD, id, "")));
    expect(codes(await Promise.allSettled(acts)).sort()).toEqual(["CONSTRAINT_BROKEN", "ok", "ok"]);
    expect(await ids(db)).toEqual([1, 2]);
  });

  test("a rule that is checked at COMMIT fails only the act that broke it", async (context) => {
    await using db = await withNotes(open, context);
    await db.write((tx) =>
      tx.run("CREATE TABLE replies (note BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)"),
    );
    const good = (id: number) => db.write((tx) => tx.run(ADD, id, ""));
    const orphan = db.write((tx) => tx.run("INSERT INTO replies VALUES (?)", 99));
    const outcomes = await Promise.allSettled([good(1), orphan, good(2)]);
    expect(codes(outcomes)).toEqual(["ok", "CONSTRAINT_BROKEN", "ok"]);
    expect(await ids(db)).toEqual([1, 2]);
  });

  test("a tx sees what it wrote, and nobody else does before the COMMIT", async (context) => {
    await using db = await withNotes(open, context);
    const seen: { outside?: Promise<unknown>; inside?: unknown } = {};
    const started = Promise.withResolvers<void>();
    const outside = started.promise.then(() => ids(db));
    await db.write(async (tx) => {
      await tx.run(ADD, 1, "");
      started.resolve();
      for (let step = 0; step < 5; step++) seen.inside = await tx.all("SELECT id FROM notes");
      await tx.run("DELETE FROM notes");
    });
    expect(seen.inside).toEqual([{ id: 1 }]);
    expect(await outside).toEqual([]);
  });

  test("what was written is seen once the write has answered", async (context) => {
    await using db = await withNotes(open, context);
    for (let id = 1; id <= 5; id++) {
      await db.write((tx) => tx.run(ADD, id, ""));
      expect(await ids(db)).toHaveLength(id);
    }
  });

  test("counting in SQL loses nothing among many acts at once", async (context) => {
    await using db = await withNotes(open, context);
    await db.write((tx) => tx.run(ADD, 0, ""));
    const acts = Array.from({ length: 100 }, () => db.write((tx) => tx.run("UPDATE notes SET id = id + 1")));
    await Promise.all(acts);
    expect(await ids(db)).toEqual([100]);
  });

  test("acts that lock the same name are serial", async (context) => {
    await using db = await withNotes(open, context);
    const acts = Array.from({ length: 40 }, () =>
      db.write(async (tx) => {
        await tx.lock("tail");
        const last = await tx.get<{ id: number }>("SELECT id FROM notes ORDER BY id DESC");
        await tx.run(ADD, (last?.id ?? 0) + 1, "");
      }),
    );
    await Promise.all(acts);
    expect(await ids(db)).toHaveLength(40);
  });

  test("any mixture of acts leaves exactly what the good ones wrote", async (context) => {
    await using db = await withNotes(open, context);
    const act = fc.record({
      ids: fc.array(fc.integer({ min: 0, max: 1e9 }), { maxLength: 4 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
        await db.write((tx) => tx.run("DELETE FROM notes"));
        const outcomes = await Promise.allSettled(acts.map((each) => db.write((tx) => addAll(tx, each))));
        const kept = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : []));
        expect(await ids(db)).toEqual(kept.sort((a, b) => a - b));
        outcomes.forEach((outcome, at) => {
          if (acts[at]?.fails) expect(outcome.status).toBe("rejected");
        });
      }),
      { numRuns: 25 },
    );
  });
}

async function addAll(tx: Write, act: { readonly ids: readonly number[]; readonly fails: boolean }) {
  for (const id of act.ids) await tx.run(ADD, id, "");
  if (act.fails) throw new Error("no");
  return act.ids;
}

function misuseSuite(open: OpenDatabase): void {
  test("a write inside a body is refused, and the database goes on", async (context) => {
    await using db = await withNotes(open, context);
    const nested = db.write(() => db.write((tx) => tx.run(ADD, 1, "")));
    await expect(nested).rejects.toMatchObject({ code: "NESTED_WRITE" });
    await db.write((tx) => tx.run(ADD, 2, ""));
    expect(await ids(db)).toEqual([2]);
  });

  test("a body that awaits anything but its tx is undone, and its neighbours are not", async (context) => {
    await using db = await withNotes(open, context);
    let late: Promise<unknown> | undefined;
    const foreign = db.write(async (tx) => {
      await tx.run(ADD, 1, "");
      late = sleep(20).then(() => tx.run(ADD, 2, ""));
      await late;
    });
    const good = db.write((tx) => tx.run(ADD, 3, ""));
    expect(codes(await Promise.allSettled([foreign, good]))).toEqual(["FOREIGN_AWAIT", "ok"]);
    await expect(late).rejects.toMatchObject({ code: "FOREIGN_AWAIT" });
    expect(await ids(db)).toEqual([3]);
  });

  test("what a body leaves running may write once the body is over", async (context) => {
    await using db = await withNotes(open, context);
    const later = Promise.withResolvers<unknown>();
    await db.write(async () => {
      sleep(5)
        .then(() => db.write((tx) => tx.run(ADD, 1, "")))
        .then(later.resolve, later.reject);
    });
    expect(await later.promise).toBe(1);
  });

  test("a read past the tx inside a body is refused", async (context) => {
    await using db = await withNotes(open, context);
    await expect(db.write(() => ids(db))).rejects.toMatchObject({ code: "FOREIGN_AWAIT" });
  });

  test("a tx is of no use after its body", async (context) => {
    await using db = await withNotes(open, context);
    const tx = await db.write(async (inside) => ({ inside }));
    await expect(tx.inside.run(ADD, 1, "")).rejects.toMatchObject({ code: "TRANSACTION_OVER" });
    expect(() => tx.inside.afterCommit(() => {})).toThrow(
      expect.objectContaining({ code: "TRANSACTION_OVER" }),
    );
    expect(await ids(db)).toEqual([]);
  });

  test("a body may use its tx several times at once", async (context) => {
    await using db = await withNotes(open, context);
    await db.write((tx) => Promise.all([1, 2, 3].map((id) => tx.run(ADD, id, ""))));
    expect(await ids(db)).toEqual([1, 2, 3]);
  });

  test.for(["COMMIT", " rollback", "SAVEPOINT x", "begin", "vacuum"])(
    "%j is refused inside a body",
    async (sql, context) => {
      await using db = await withNotes(open, context);
      await expect(db.write((tx) => tx.run(sql))).rejects.toMatchObject({ code: "TRANSACTION_STATEMENT" });
    },
  );

  test("a statement that makes no sense is refused with its cause", async (context) => {
    await using db = await open(context);
    await expect(db.get("SELEC 1")).rejects.toMatchObject({
      code: "DATABASE_FAILED",
      cause: expect.any(Error),
    });
  });

  test("closing finishes what runs, and then nothing more is taken", async (context) => {
    const db = await withNotes(open, context);
    const act = db.write((tx) => tx.run(ADD, 1, ""));
    await db.close();
    expect(await act).toBe(1);
    await expect(db.write((tx) => tx.run(ADD, 2, ""))).rejects.toMatchObject({ code: "DATABASE_CLOSED" });
    await expect(db.get("SELECT 1 AS one")).rejects.toMatchObject({ code: "DATABASE_CLOSED" });
    await db.close();
  });
}

function afterCommitSuite(open: OpenDatabase): void {
  test("what must follow runs after the COMMIT, in order, and may write", async (context) => {
    await using db = await withNotes(open, context);
    const done = Promise.withResolvers<void>();
    const order: unknown[] = [];
    await db.write(async (tx) => {
      await tx.run(ADD, 1, "");
      tx.afterCommit(() => void order.push("first"));
      tx.afterCommit(async () => {
        order.push(await ids(db));
        await db.write((next) => next.run(ADD, 2, ""));
        done.resolve();
      });
      order.push("body");
    });
    await done.promise;
    expect(order).toEqual(["body", "first", [1]]);
    expect(await ids(db)).toEqual([1, 2]);
  });

  test("nothing follows an act that failed", async (context) => {
    await using db = await withNotes(open, context);
    let ran = false;
    const act = db.write(async (tx) => {
      tx.afterCommit(() => {
        ran = true;
      });
      throw new Error("no");
    });
    await expect(act).rejects.toThrow("no");
    await sleep(5);
    expect(ran).toBe(false);
  });
}

/** Closes, when a file's tests are over, what its helpers opened. */
export function closeAfterAll(): (closing: () => Promise<void> | void) => void {
  const closings: (() => Promise<void> | void)[] = [];
  afterAll(async () => {
    for (const closing of closings.reverse()) await closing();
  });
  return (closing) => void closings.push(closing);
}
