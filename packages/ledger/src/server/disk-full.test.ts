import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { afterAll, expect, test } from "vitest";
import { testServer } from "../testing/test-server.ts";
import { ledgerServerMigrations } from "./schema.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-full-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a full disk is said, loses nothing that was acknowledged, and leaves what is there readable", async () => {
  // Small pages, so that the tables alone do not fill it.
  const db = await openSqlite({ path: join(folder, "ledger.db"), pageBytes: 512, maxPages: 600 });
  await migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
  await using one = await testServer({ db });
  const agent = await one.account();
  const ids: string[] = [];
  let refused = await one.call({ path: "/api/nothing" });
  for (let step = 0; step < 200; step++) {
    const body = { payload: { step, text: "x".repeat(4000) }, parentId: ids.at(-1) ?? null };
    refused = await one.call({ path: "/api/commit", body }, agent);
    if (refused.status !== 200) break;
    ids.push((refused.json as { id: string }).id);
  }

  expect(ids.length).toBeGreaterThan(3);
  expect(refused.status).toBe(507);
  expect(refused.json).toMatchObject({ error: expect.any(String), code: "disk_full" });
  const { json } = await one.call({ path: `/api/verify/${ids.at(-1)}` }, agent);
  expect(json).toMatchObject({ chain_intact: true, length: ids.length });
});
