import { migrate, openPostgres, storeMigrations } from "@darkmatter/store";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { post } from "../../testing/server-commit-suite.ts";
import { expectSoundLog } from "../../testing/server-log-checks.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";

test("while PostgreSQL is gone commits are refused; once it is back nothing acknowledged is lost and they go on", {
  timeout: 60_000,
}, async (context) => {
  const started = await startPrivatePostgres();
  if ("missing" in started) return context.skip(started.missing);
  await using postgres = started;
  const db = await openPostgres({ url: postgres.url, connections: 8, report: () => undefined });
  await migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
  await using server = await testServer({ db });
  const ana = await server.account();
  const answers: { readonly body: object; readonly answer: Awaited<ReturnType<typeof post>> }[] = [];
  const client = async (n: number) => {
    for (let at = 0; at < 12; at++) {
      const body = { payload: { n, at }, idempotencyKey: `${n}-${at}` };
      answers.push({ body, answer: await post(server, ana, body) });
    }
  };
  const clients = Promise.all(Array.from({ length: 16 }, (_, n) => client(n)));
  while (answers.length < 40) await new Promise((later) => setImmediate(later));
  await postgres.stop();
  await clients;
  const gone = await post(server, ana, { payload: {} });
  expect([gone.status, gone.json]).toEqual([
    503,
    expect.objectContaining({
      error: expect.any(String),
      code: "database_unreachable",
      request_id: expect.any(String),
    }),
  ]);
  expect(gone.text).not.toContain(postgres.url);

  await postgres.start();
  const refused = answers.filter(({ answer }) => answer.status !== 200);
  expect(new Set(refused.map(({ answer }) => answer.status))).toEqual(new Set([503]));
  const idOf = ({ json }: (typeof answers)[number]["answer"]) => (json as { id: string }).id;
  // Whether a request that was cut off had landed or not: repeated under its key it is there once.
  for (const { body, answer } of answers) {
    const again = await post(server, ana, body);
    expect(again.status).toBe(200);
    if (answer.status === 200) expect(idOf(again)).toBe(idOf(answer));
  }
  await expectSoundLog(server, answers.length);
});
