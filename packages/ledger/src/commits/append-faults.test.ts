import { systemRandom } from "@darkmatter/core";
import { type Database, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createFaults, sqliteFault, tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { ledgerMigrations } from "../schema.ts";
import { expectSound } from "../testing/append-suite.ts";
import { crashesOf } from "../testing/crashes.ts";
import { testEvent, testLedger } from "../testing/test-ledger.ts";

const FULL = 13;
const INTERNAL = 2;

/** The statements of an append, by how they begin, and the COMMIT that holds it. */
const WRITES = ["INSERT INTO ledger_commits", "INSERT INTO ledger_fields", "UPDATE ledger_tail", "COMMIT"];
const READS = ["SELECT size", "SELECT position"];

async function migrated(db: Database): Promise<Database> {
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  return db;
}

test.each([...READS, ...WRITES])(
  "when %s fails, the act fails and the next one follows without a gap",
  async (sql) => {
    for (const fault of [FULL, INTERNAL]) {
      const faults = createFaults();
      await using ledger = await testLedger({
        db: await migrated(await openSqlite({ path: ":memory:", onStatement: faults.onStatement })),
      });
      await ledger.append();
      faults.failNext(sql, sqliteFault(fault));
      await expect(ledger.append()).rejects.toThrow();
      await ledger.append();
      await expectSound(ledger, 2);
    }
  },
);

test("a COMMIT that fails runs every append again, and each lands once", async () => {
  const faults = createFaults();
  await using ledger = await testLedger({
    db: await migrated(await openSqlite({ path: ":memory:", onStatement: faults.onStatement })),
  });
  faults.failNext("COMMIT", sqliteFault(INTERNAL));
  const hashes = await Promise.all(
    Array.from({ length: 20 }, (_, at) => ledger.append({ trace: `t${at % 4}` })),
  );
  expect((await ledger.commits()).map(({ integrityHash }) => integrityHash)).toEqual(hashes);
  await expectSound(ledger, 20);
});

test("a body that goes on after a failed append leaves what came before it", async () => {
  const faults = createFaults();
  await using ledger = await testLedger({
    db: await migrated(await openSqlite({ path: ":memory:", onStatement: faults.onStatement })),
  });
  const { db, journal } = ledger;
  faults.failNext("UPDATE ledger_tail", sqliteFault(INTERNAL), 1);
  const act = db.write(async (tx) => {
    await journal.append(tx, testEvent());
    // An append that fails half-way must end its act: the row without its end could not be taken back alone.
    await journal.append(tx, testEvent()).catch(() => undefined);
    await journal.append(tx, testEvent());
  });
  await expect(act).rejects.toMatchObject({ code: "CONSTRAINT_BROKEN" });
  await ledger.append();
  await expectSound(ledger, 1);
});

test("a crash between any two statements leaves a sound ledger with every acknowledged act", async () => {
  using folder = tempFolder();
  const recorded = crashesOf(folder.path);
  const { path, crashes, onStatement } = recorded;
  await using ledger = await testLedger({ db: await migrated(await openSqlite({ path, onStatement })) });
  await recorded.watch(async () => {
    for (let act = 0; act < 6; act++) {
      await Promise.all([ledger.append({ trace: "a" }), ledger.append({ trace: `b${act}` })]);
      recorded.acknowledge(2);
      if (act % 3 === 2) await ledger.db.write((tx) => ledger.checkpoints.make(tx));
    }
  });

  expect(crashes.length).toBeGreaterThan(60);
  for (const crash of crashes) {
    await using after = await testLedger({
      db: await openSqlite({ path: crash.path }),
      random: systemRandom,
    });
    const { length } = await after.commits();
    expect(length).toBe(crash.acknowledged);
    await expectSound(after, length);
    await after.append();
    await expectSound(after, length + 1);
  }
});
