import { errorsOf } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import { expect, test, vi } from "vitest";
import { chainWorld } from "../../testing/server-chain-world.ts";
import { testServer } from "../../testing/test-server.ts";

const failed = errorsOf({
  DATABASE_UNREACHABLE: { status: 503, retryable: true, message: "The database is gone.", hint: "" },
  DATABASE_DAMAGED: { status: 500, retryable: false, message: "The database is damaged.", hint: "" },
});

/** The next statement that holds a text throws. */
function failNext(db: Database, part: string, error: Error): void {
  let isArmed = true;
  const fails = (sql: string) => {
    const isThis = isArmed && sql.includes(part);
    if (isThis) isArmed = false;
    return isThis;
  };
  const [all, get] = [db.all.bind(db), db.get.bind(db)];
  vi.spyOn(db, "all").mockImplementation(async (sql, ...values) => {
    if (fails(sql)) throw error;
    return (await all(sql, ...values)) as never;
  });
  vi.spyOn(db, "get").mockImplementation(async (sql, ...values) => {
    if (fails(sql)) throw error;
    return (await get(sql, ...values)) as never;
  });
}

const READS = [
  ["a commit", "c.payload_hash"],
  ["the log's end", "FROM ledger_tail"],
  ["the tree", "nodes FROM ledger_commits"],
  ["a checkpoint", "FROM ledger_checkpoints"],
  ["an agent's key", "FROM ledger_agent_keys"],
] as const;

test.each(READS)("a database that is gone when %s is read makes no verdict", async (_what, part) => {
  await using server = await testServer();
  const { bo, tip } = await chainWorld(server);
  failNext(server.db, part, failed("DATABASE_UNREACHABLE"));
  const { status, json } = await server.call({ path: `/api/verify/${tip}` }, bo);
  vi.restoreAllMocks();
  expect([status, json]).toEqual([503, expect.not.objectContaining({ chain_intact: expect.anything() })]);
  expect((await server.call({ path: `/api/verify/${tip}` }, bo)).json).toMatchObject({ chain_intact: true });
});

test("a statement for a commit that meets damage costs that commit, and no others", async () => {
  await using server = await testServer();
  const { bo, tip, ids } = await chainWorld(server);
  const all = server.db.all.bind(server.db);
  vi.spyOn(server.db, "all").mockImplementation(async (sql, ...values) => {
    if (sql.includes("c.payload_hash") && values.includes(4)) throw failed("DATABASE_DAMAGED");
    return (await all(sql, ...values)) as never;
  });
  const { json } = await server.call({ path: `/api/verify/${tip}` }, bo);
  vi.restoreAllMocks();
  expect(json).toMatchObject({ chain_intact: false, broken_at: ids[4], length: ids.length });
});
