import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { idsOf, search } from "../../testing/search-calls.ts";
import { searchSuite } from "../../testing/search-suite.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";
import { createGramRarity } from "./gram-rarity.ts";
import { createSearchIndexer } from "./indexer.ts";
import { readMark } from "./search.store.ts";

searchSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

test("grams that most payloads hold are left out where rarer ones are", async () => {
  await using server = await testServer();
  const rarity = createGramRarity(server.clock);
  const ana = await server.account();
  for (let at = 0; at < 30; at++)
    await server.commit(ana, { payload: { output: at % 10 === 0 ? "common rare" : "common" } });
  const rarest = (...grams: string[]) => rarity.rarest(new Set(grams));
  await rarity.learn(server.db, 30);
  expect(rarest("com", "omm", "xyz", "rar")).toEqual(["com", "omm", "xyz", "rar"]);
  await rarity.learn(server.db, 10_000);
  expect(rarest("com", "omm", "xyz", "rar")).toEqual(["xyz", "rar"]);
  expect(rarest("com", "omm")).toEqual(["com"]);
});

test("grams that rule out the same payloads come after those that rule out others", async () => {
  await using server = await testServer();
  const rarity = createGramRarity(server.clock);
  const ana = await server.account();
  for (let at = 0; at < 32; at++)
    await server.commit(ana, {
      payload: { output: `${at % 2 === 0 ? "qwq vjv" : ""} ${at % 4 < 2 ? "kzk" : ""}` },
    });
  await rarity.learn(server.db, 10_000);
  const asked = rarity.rarest(new Set(["qwq", "vjv", "kzk"]));
  expect(asked).toEqual(["qwq", "kzk", "vjv"]);
});

test("filters that the index knows find in it what they found before", async () => {
  await using server = await testServer();
  const ana = await server.account();
  // A type that is not known is kept as a label.
  const { id } = await server.commit(ana, { payload: { output: "marked" }, eventType: "tool.call" });
  await server.commit(ana, { payload: { output: "marked, too" }, eventType: "retry" });
  for (const isIndexed of [false, true]) {
    if (isIndexed)
      await createSearchIndexer({ ...server.ports, rarity: createGramRarity(server.clock) }).step();
    expect(await readMark(server.db)).toBe(isIndexed ? 2 : 0);
    expect(idsOf(await search(server, ana, { q: "mar", event: "tool.call" }))).toEqual([id]);
  }
});

test("what many steps of indexing left apart is merged once nothing else is to do", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const clock = { ...server.ports.clock, sleep: async () => undefined };
  const indexer = createSearchIndexer({ db: server.db, clock, rarity: createGramRarity(clock) });
  for (let at = 0; at < 7; at++) {
    await server.commit(ana, { payload: { output: `part ${at}` } });
    await indexer.step();
  }
  // Pages are numbered within their segment (sqlite.org, fts5_index.c): the segment is in the bits above 37.
  const segments = async () =>
    (await server.db.all("SELECT DISTINCT id >> 37 AS part FROM ledger_search_data WHERE id >> 37 > 0"))
      .length;
  expect(await segments()).toBe(7);
  await indexer.job.run();
  expect(await segments()).toBe(1);
  expect((await search(server, ana, { q: "part" })).total).toBe(7);
  expect(await indexer.tidy()).toBe(false);
});

test("a page ends before its payloads are too much, and the next one goes on", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const ids: string[] = [];
  for (let at = 0; at < 4; at++)
    ids.push((await server.commit(ana, { payload: { output: `${at} big ${"x".repeat(1_500_000)}` } })).id);
  const first = await search(server, ana, {});
  expect([first.count, first.total]).toEqual([2, 4]);
  const second = await search(server, ana, { cursor: first.nextCursor ?? "" });
  expect([second.count, second.total, second.nextCursor]).toEqual([2, 4, null]);
  expect([...idsOf(first), ...idsOf(second)]).toEqual(ids.toReversed());
});

test("filters that are not of their form are refused by name", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const wrong: Record<string, string>[] = [
    { limit: "0" },
    { limit: "-1" },
    { limit: "many" },
    { verified: "maybe" },
    { from: "yesterday" },
    { to: "2026-02-30" },
    { from: "2026-11-21T25:00:00Z" },
    { cursor: "1" },
    { cursor: "1-x" },
    { q: "x".repeat(10_001) },
  ];
  for (const asked of wrong) {
    const { status, json } = await server.call({ path: `/api/search?${new URLSearchParams(asked)}` }, ana);
    const [name = ""] = Object.keys(asked);
    expect([asked, status, json]).toMatchObject([
      asked,
      400,
      { code: "invalid_request", error: expect.stringContaining(name) },
    ]);
  }
  expect(
    await search(server, ana, { limit: "999999", cursor: "999999999999999-999999999999999" }),
  ).toMatchObject({
    total: 0,
  });
  const { status } = await server.call({ path: "/api/search?q=x" });
  expect(status).toBe(401);
});

test("a caller that has gone ends its search", async () => {
  await using server = await testServer();
  const ana = await server.account();
  await server.commit(ana, { payload: { output: "gone" } });
  const { status } = await server.call({ path: "/api/search?q=go", signal: AbortSignal.abort() }, ana);
  expect(status).toBe(500);
});
