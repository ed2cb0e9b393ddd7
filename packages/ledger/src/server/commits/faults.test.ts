import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "@darkmatter/core";
import { type Database, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createFaults, sqliteFault, tempFolder, tinyDisk } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { crashesOf } from "../../testing/crashes.ts";
import { post } from "../../testing/server-commit-suite.ts";
import { expectSoundLog } from "../../testing/server-log-checks.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";

const FULL = 13;
const INTERNAL = 2;

async function migrated(db: Database): Promise<Database> {
  await migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
  return db;
}

/** A server whose statements fail when a test says so. */
async function faultyServer() {
  const faults = createFaults();
  const db = await migrated(await openSqlite({ path: ":memory:", onStatement: faults.onStatement }));
  const server = await testServer({ db });
  return { faults, server, ana: await server.account() };
}

/** The statements of a commit that is shared and has a key, by how they begin, and the COMMIT that holds them. */
const STATEMENTS = [
  "UPDATE ledger_tail SET size = size",
  "SELECT agent, key",
  "INSERT INTO ledger_commits",
  "INSERT INTO ledger_payloads",
  "INSERT INTO ledger_idempotency",
  "UPDATE ledger_tail SET size = ?",
  "INSERT INTO ledger_shares",
  "COMMIT",
];

test.each(STATEMENTS)(
  "when %s fails nothing of the commit is there, and its request can be repeated",
  async (sql) => {
    for (const [fault, status] of [
      [FULL, 507],
      [INTERNAL, 500],
    ] as const) {
      const { faults, server, ana } = await faultyServer();
      await using _ = server;
      await server.commit(ana, { payload: { n: 0 } });
      const body = { payload: { n: 1 }, idempotencyKey: "k", share: true };
      faults.failNext(sql, sqliteFault(fault), sql === "SELECT agent, key" ? 1 : 0);
      const failed = await post(server, ana, body);
      expect([failed.status, failed.json]).toEqual([
        status,
        expect.objectContaining({ error: expect.any(String) }),
      ]);
      expect(failed.text).not.toContain("injected");
      await expectSoundLog(server, 1);
      for (const table of ["ledger_idempotency", "ledger_shares"])
        expect(await server.db.all(`SELECT 1 FROM ${table}`)).toEqual([]);
      const again = await post(server, ana, body);
      expect([again.status, await post(server, ana, body)]).toEqual([200, again]);
      await expectSoundLog(server, 2);
    }
  },
);

test("a COMMIT of many that fails runs each again alone, and each lands once", async () => {
  const { faults, server, ana } = await faultyServer();
  await using _ = server;
  faults.failNext("COMMIT", sqliteFault(INTERNAL));
  const bodies = Array.from({ length: 20 }, (_, n) => ({ payload: { n } }));
  const answers = await Promise.all(bodies.map((body) => post(server, ana, body)));
  expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 200));
  await expectSoundLog(server, 20);
});

test("a full disk refuses all that share a COMMIT, and none of them is there", async () => {
  const { faults, server, ana } = await faultyServer();
  await using _ = server;
  faults.failAlways("COMMIT", sqliteFault(FULL));
  const bodies = Array.from({ length: 20 }, (_, n) => ({ payload: { n } }));
  const answers = await Promise.all(bodies.map((body) => post(server, ana, body)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([507]));
  faults.heal();
  await expectSoundLog(server, 0);
  await server.commit(ana, { payload: {} });
  await expectSoundLog(server, 1);
});

test("a disk that really is full loses nothing acknowledged, and commits go on once there is room", async (context) => {
  using disk = tinyDisk(4096);
  if (!disk) return context.skip("this process may not make a disk");
  const filler = join(disk.path, "filler");
  writeFileSync(filler, new Uint8Array(2_000_000));
  await using server = await testServer({
    db: await migrated(await openSqlite({ path: join(disk.path, "l.db") })),
  });
  const ana = await server.account();
  const body = { payload: { a: "x".repeat(40_000) } };
  let [acknowledged, status] = [0, 200];
  while (status === 200 && acknowledged < 200) {
    ({ status } = await post(server, ana, body));
    if (status === 200) acknowledged++;
  }
  expect(status).toBe(507);
  rmSync(filler);
  await server.commit(ana, { payload: {} });
  await expectSoundLog(server, acknowledged + 1);
});

test("a crash between any two statements leaves a sound log with every acknowledged commit", async () => {
  using folder = tempFolder();
  const recorded = crashesOf(folder.path);
  const { path, crashes, onStatement } = recorded;
  await using server = await testServer({ db: await migrated(await openSqlite({ path, onStatement })) });
  const ana = await server.account();
  await recorded.watch(async () => {
    for (let round = 0; round < 3; round++) {
      await Promise.all([
        server.commit(ana, { payload: { round }, idempotencyKey: `k${round}` }),
        server.commit(ana, { payload: { round }, share: true }),
      ]);
      recorded.acknowledge(2);
    }
  });

  expect(crashes.length).toBeGreaterThan(30);
  for (const crash of crashes) {
    await using after = await testServer({
      db: await openSqlite({ path: crash.path }),
      ports: { random: systemRandom },
    });
    const found = await after.db.get<{ n: number }>("SELECT count(*) AS n FROM ledger_commits");
    expect(found?.n).toBeGreaterThanOrEqual(crash.acknowledged);
    await expectSoundLog(after, found?.n ?? 0);
    await after.commit(ana, { payload: {} });
    await expectSoundLog(after, (found?.n ?? 0) + 1);
  }
});
