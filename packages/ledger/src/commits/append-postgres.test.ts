import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Database, migrate, openPostgres, storeMigrations } from "@darkmatter/store";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { ledgerMigrations } from "../schema.ts";
import { appendSuite, expectSound } from "../testing/append-suite.ts";
import { testEvent, testLedger } from "../testing/test-ledger.ts";

const CHILD = join(import.meta.dirname, "../testing/children/appender.ts");

let server: Awaited<ReturnType<typeof startPrivatePostgres>>;
let schemas = 0;

beforeAll(async () => {
  server = await startPrivatePostgres();
}, 60_000);

afterAll(async () => {
  if ("url" in server) await server[Symbol.asyncDispose]();
}, 30_000);

function urlOf(context: TestContext): string {
  if ("missing" in server) return context.skip(server.missing);
  return server.url;
}

async function openSchema(context: TestContext, schema: string): Promise<Database> {
  // The server's stop may overtake the last words of a pool that is closed already.
  const report = () => undefined;
  const db = await openPostgres({ url: urlOf(context), schema, connections: 8, report });
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  return db;
}

appendSuite("PostgreSQL", (context) => openSchema(context, `s${++schemas}`));

test("two processes append to one ledger without a gap, a fork or a lost act", {
  timeout: 60_000,
}, async (context) => {
  const schema = `s${++schemas}`;
  await using ledger = await testLedger({ db: await openSchema(context, schema) });
  const children = [1, 2].map(() =>
    spawn(process.execPath, [CHILD, urlOf(context), schema], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const landed = await Promise.all(children.map(async ({ stdout }) => Number(await text(stdout))));
  expect(landed).toEqual([135, 135]);
  await expectSound(ledger, 270);
});

test("two pools of one process append to one ledger, too", { timeout: 60_000 }, async (context) => {
  const schema = `s${++schemas}`;
  await using ledger = await testLedger({ db: await openSchema(context, schema) });
  await using other = await openSchema(context, schema);
  const appends = Array.from({ length: 120 }, (_, at) => {
    const db = at % 2 === 0 ? ledger.db : other;
    return db.write((tx) => ledger.journal.append(tx, testEvent({ trace: `msg-${at % 5}` })));
  });
  const hashes = await Promise.all(appends);
  expect(new Set(hashes)).toEqual(new Set((await ledger.commits()).map((commit) => commit.integrityHash)));
  await expectSound(ledger, 120);
});
