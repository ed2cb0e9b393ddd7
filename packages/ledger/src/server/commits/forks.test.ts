import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { chainOf, serverForkSuite } from "../../testing/server-fork-suite.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";

serverForkSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

test("a fork of a chain of more than one page is verified from its root", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const ids = await chainOf(server, ana, 600);
  const deep = await server.call({ path: `/api/fork/${ids.at(-1)}`, body: { fromStep: 599 } }, ana);
  expect(deep.json).toMatchObject({ fork_point: ids[598], lineage_root: ids[0], source_chain_intact: true });
  await server.db.write((tx) => tx.run("UPDATE ledger_payloads SET payload = '{}' WHERE position = 3"));
  const after = await server.call({ path: `/api/fork/${ids.at(-1)}`, body: { fromStep: 599 } }, ana);
  expect([after.status, after.json]).toEqual([400, expect.objectContaining({ code: "fork_point_invalid" })]);
});
