import type { Database } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { statsSuite } from "../../testing/server-stats-suite.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";

statsSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

/** A database some of whose ways are others. */
const around = (db: Database, changed: Partial<Database>): Database => ({
  dialect: db.dialect,
  get: db.get.bind(db),
  all: db.all.bind(db),
  write: db.write.bind(db),
  purge: db.purge.bind(db),
  close: db.close.bind(db),
  [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  ...changed,
});

test("however many ask, the database is counted once in five seconds", async () => {
  const db = await memoryDatabase(ledgerServerMigrations);
  let counts = 0;
  await using server = await testServer({
    db: around(db, {
      get(sql, ...values) {
        if (sql.includes("count(*) AS count FROM ledger_agents")) counts++;
        return db.get(sql, ...values);
      },
    }),
  });
  await Promise.all(Array.from({ length: 20 }, () => server.call({ path: "/api/stats" })));
  expect(counts).toBe(1);
  await server.clock.advance(5000);
  await server.call({ path: "/api/stats" });
  expect(counts).toBe(2);
});

test("without its database a server is alive, not ready, and says no more", async () => {
  await using server = await testServer();
  expect((await server.call({ path: "/readyz" })).status).toBe(200);
  await server.db.write((tx) => tx.run("ALTER TABLE ledger_ready RENAME TO ledger_not_ready"));
  await server.clock.advance(1000);
  const { status, json, text } = await server.call({ path: "/readyz" });
  expect([status, json]).toEqual([503, { ok: false, database: false, log_key: true }]);
  expect(text).not.toMatch(/ledger_ready/);
  expect((await server.call({ path: "/healthz" })).status).toBe(200);
  await server.db.write((tx) => tx.run("ALTER TABLE ledger_not_ready RENAME TO ledger_ready"));
  await server.clock.advance(1000);
  expect((await server.call({ path: "/readyz" })).status).toBe(200);
});

test("a database that swallows writes, or answers nothing, is not ready", async () => {
  const db = await memoryDatabase(ledgerServerMigrations);
  let broken: "no" | "silent" | "swallows" = "no";
  await using server = await testServer({
    db: around(db, {
      write(body) {
        if (broken === "silent") return new Promise(() => undefined);
        if (broken === "no") return db.write(body);
        return db.write((tx) =>
          body({
            actor: tx.actor,
            get: tx.get.bind(tx),
            all: tx.all.bind(tx),
            lock: tx.lock.bind(tx),
            afterCommit: tx.afterCommit.bind(tx),
            run: async () => 1,
          }),
        );
      },
    }),
  });
  for (const [fault, status] of [
    ["no", 200],
    ["swallows", 503],
    ["silent", 503],
    ["no", 200],
  ] as const) {
    broken = fault;
    await server.clock.advance(1000);
    const asked = server.call({ path: "/readyz" });
    await server.clock.advance(5000);
    expect((await asked).status).toBe(status);
  }
});

test("a log key whose signatures do not hold is not ready", async () => {
  await using server = await testServer();
  const { logKey } = server.ports;
  const sign = logKey.sign;
  Object.assign(logKey, { sign: (text: string) => sign(`${text} `) });
  const { status, json } = await server.call({ path: "/readyz" });
  Object.assign(logKey, { sign });
  expect([status, json]).toEqual([503, { ok: false, database: true, log_key: false }]);
});
