import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test, vi } from "vitest";
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

test("of large payloads few are held at a time", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const megabyte = 1_000_000;
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) {
    const payload = { n, text: "x".repeat(2 * megabyte) };
    ids.push((await server.commit(ana, { payload, parentId: ids.at(-1) ?? null })).id);
  }
  const all = server.db.all.bind(server.db);
  let held = 0;
  vi.spyOn(server.db, "all").mockImplementation(async (sql, ...values) => {
    const rows = await all(sql, ...values);
    held = Math.max(
      held,
      rows.reduce((sum, { payload }) => sum + String(payload ?? "").length, 0),
    );
    return rows as never;
  });
  const { json } = await server.call({ path: `/api/fork/${ids.at(-1)}`, body: { fromStep: 2 } }, ana);
  expect(json).toMatchObject({ fork_point: ids[1], source_chain_intact: true });
  expect(held).toBeGreaterThan(2 * megabyte);
  expect(held).toBeLessThan(9 * megabyte);
});
