import { createHash } from "node:crypto";
import type { Database } from "@darkmatter/store";
import { expect, type TestContext, test } from "vitest";
import { accountGram, gramsOf } from "../server/search/grams.ts";
import { logSize, readMark, searchEngine } from "../server/search/search.store.ts";
import { PIECE_CHARACTERS } from "../server/search/searched-text.ts";
import { idsOf, indexAll, indexerOf, search } from "./search-calls.ts";
import type { TestAgent, TestServer } from "./test-server.ts";

type Opened = (context: TestContext) => Promise<TestServer>;

/** What the index is beside the answers, on every database. */
export function searchIndexSuite(opened: Opened): void {
  indexSuite(opened);
  largeSuite(opened);
}

function indexSuite(opened: Opened): void {
  test("what is indexed and what is not yet are one: each is found once, newest first", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const indexer = indexerOf(server);
    const ids: string[] = [];
    for (let at = 0; at < 6; at++)
      ids.push((await server.commit(ana, { payload: { output: `tail ${at}` } })).id);
    for (let indexed = 0; indexed < 6; indexed += 2) {
      expect(await readMark(server.db)).toBe(indexed);
      const answer = await search(server, ana, { q: "tail" });
      expect([idsOf(answer), answer.total]).toEqual([ids.toReversed(), 6]);
      expect(await indexer.step({ commits: 2, bytes: 1e6 })).toBe(2);
    }
    expect(await indexer.step()).toBe(0);
    expect(await indexedPositions(server, ana)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("a crash between index and mark leaves neither", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    for (let at = 0; at < 4; at++) await server.commit(ana, { payload: { output: `crash ${at}` } });
    const { db, ports } = server;
    const crashing: Database = {
      ...db,
      dialect: db.dialect,
      get: (sql, ...values) => db.get(sql, ...values),
      all: (sql, ...values) => db.all(sql, ...values),
      write: (body) =>
        db.write((tx) =>
          body({
            actor: tx.actor,
            get: (sql, ...values) => tx.get(sql, ...values),
            all: (sql, ...values) => tx.all(sql, ...values),
            lock: (name) => tx.lock(name),
            afterCommit: (follow) => tx.afterCommit(follow),
            run: async (sql, ...values) => {
              if (sql.startsWith("UPDATE ledger_search_mark")) throw new Error("power cut");
              return tx.run(sql, ...values);
            },
          }),
        ),
    };
    await expect(indexerOf({ db: crashing, ports }).step()).rejects.toThrow("power cut");
    expect(await indexedPositions(server, ana)).toEqual([]);
    expect((await search(server, ana, { q: "crash" })).total).toBe(4);
    await indexAll(server);
    expect(await indexedPositions(server, ana)).toEqual([0, 1, 2, 3]);
    expect((await search(server, ana, { q: "crash" })).total).toBe(4);
  });

  test("four and five characters are found together, not where every three of them are apart", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    for (const output of ["abc bcd cde", "an abcde", "abcd bcde", "an ab\u{10400}de"])
      await server.commit(ana, { payload: { output } });
    await indexAll(server);
    const { dialect } = server.db;
    const holding = (text: string) =>
      searchEngine(dialect).find(
        server.db,
        { all: [...gramsOf(text)], or: "xyz" },
        { account: ana.account, from: 0, before: 9, limit: 9 },
      );
    expect(await holding("abcde")).toEqual([1]);
    expect(await holding("abcd")).toEqual([1, 2]);
    expect(await holding("b\u{10428}de")).toEqual([3]);
  });

  test("several that index at once leave nothing out and nothing in twice", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    for (let at = 0; at < 40; at++) await server.commit(ana, { payload: { output: `together ${at}` } });
    const steps = await Promise.all(
      [1, 2, 3].map(async () => {
        const indexer = indexerOf(server);
        let [indexed, idle] = [0, 0];
        while (idle < 2) {
          const step = await indexer.step({ commits: 3, bytes: 1e6 });
          indexed += step;
          idle = step === 0 && (await readMark(server.db)) === (await logSize(server.db)) ? idle + 1 : 0;
        }
        return indexed;
      }),
    );
    expect(steps.reduce((sum, step) => sum + step)).toBe(40);
    expect(await indexedPositions(server, ana)).toEqual(Array.from({ length: 40 }, (_, at) => at));
    expect((await search(server, ana, { q: "together" })).total).toBe(40);
  });
}

/** What the index itself says of an account's commits. */
async function indexedPositions({ db }: TestServer, { account }: TestAgent): Promise<number[]> {
  const range = { account, from: 0, before: 1e9, limit: 1e4 };
  return searchEngine(db.dialect).find(db, { all: [accountGram(account)], or: "xyz" }, range);
}

/** Characters no two of which follow each other twice: more grams than an index takes. */
function manyGrams(characters: number): string {
  let text = "";
  for (let block = 0; text.length < characters; block++)
    for (const byte of createHash("sha512").update(`${block}`).digest())
      text += String.fromCodePoint(0x4e00 + byte * 64 + (block % 64));
  return text;
}

function largeSuite(opened: Opened): void {
  test("large payloads are indexed and searched in turns, also those that no index takes", {
    timeout: 30_000,
  }, async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const words = Array.from({ length: 200_000 }, (_, at) => `word${(at * 7919) % 1000} `).join("");
    const large = await server.commit(ana, { payload: { output: `${words}needle "in" the stack` } });
    const many = await server.commit(ana, { payload: { output: `${manyGrams(200_000)}needle of many` } });
    const small = await server.commit(ana, { payload: { output: "needle, small" } });
    expect(words.length).toBeGreaterThan(1_500_000);
    for (const indexed of [false, true]) {
      if (indexed) expect(await turnsOf(() => indexAll(server))).toBeGreaterThan(20);
      const looking = search(server, ana, { q: 'needle "in"' });
      expect(await turnsOf(() => looking)).toBeGreaterThan(20);
      expect(idsOf(await looking)).toEqual([large.id]);
      expect(idsOf(await search(server, ana, { q: "NEEDLE" }))).toEqual([small.id, many.id, large.id]);
      expect(idsOf(await search(server, ana, { q: "needle of" }))).toEqual([many.id]);
    }
    expect(await readMark(server.db)).toBe(3);
  });

  test("what stands where two pieces of a large payload meet is found", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const ids: string[] = [];
    const before = PIECE_CHARACTERS - '{"output":"'.length;
    for (let within = 0; within < 8; within++) {
      const output = `${"x".repeat(before - within)}\u{1f600}needle`;
      ids.push((await server.commit(ana, { payload: { output } })).id);
    }
    await indexAll(server);
    for (const q of ["needle", "\u{1f600}need", "x\u{1f600}n"])
      expect([q, idsOf(await search(server, ana, { q }))]).toEqual([q, ids.toReversed()]);
  });
}

/** Turns of the event loop that others got until it was done. */
async function turnsOf(act: () => Promise<unknown>): Promise<number> {
  let [turns, isDone] = [0, false];
  const counting = (async () => {
    for (; !isDone; turns++) await new Promise((resume) => setImmediate(resume));
  })();
  await act().finally(() => {
    isDone = true;
  });
  await counting;
  return turns;
}
