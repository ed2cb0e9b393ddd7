import type { Database } from "@darkmatter/store";
import fc from "fast-check";
import { describe, expect, type TestContext, test } from "vitest";
import { prunePayloads } from "../server/agents/retention.store.ts";
import { accountGram } from "../server/search/grams.ts";
import { searchEngine } from "../server/search/search.store.ts";
import { idsOf, indexAll, indexerOf, search } from "./search-calls.ts";
import { searchIndexSuite } from "./search-index-suite.ts";
import { type TestServer, testServer } from "./test-server.ts";

type Open = (context: TestContext) => Promise<Database>;
type Opened = (context: TestContext) => Promise<TestServer>;

/** What searching is on every database: run it on yours. */
export function searchSuite(name: string, open: Open): void {
  const opened: Opened = async (context) => testServer({ db: await open(context) });
  describe(`search: ${name}`, () => {
    textSuite(opened);
    filterSuite(opened);
    pageSuite(opened);
    searchIndexSuite(opened);
    dashboardSuite(opened);
  });
}

/** Characters that some language of queries, some alphabet or some encoding treats in a way of its own. */
const NASTY = [
  ..."aAbBzZ019%_*?\"'\\/()[]{}^$.|&!:;,<>=+-~`@# \0\n\t\r\b\f\u007f\u2028\ufffd\uffff",
  ...["NEAR", "AND", " OR ", "NOT", "<->", "$1", "--", "/*", "\\u0041", "\\n", "''", '""', ":*", "E'"],
  ...[
    "İ",
    "ı",
    "I",
    "i",
    "i\u0307",
    "Σ",
    "ς",
    "σ",
    "ß",
    "ẞ",
    "é",
    "e\u0301",
    "\u0301",
    "\u212a",
    "ﬁ",
    "Ⅷ",
    "DŽ",
  ],
  ...["😀", "👩‍🚀", "\u{10400}", "\u{10428}", "\u{f0000}", "\u{f1000}", "日本", "עב", "\u200f", "\u00ad"],
];
const nasty = (max: number) =>
  fc.array(fc.constantFrom(...NASTY), { maxLength: max }).map((parts) => parts.join(""));
const payloads = fc.array(
  fc
    .record({ output: nasty(12) }, { requiredKeys: [] })
    .chain((payload) => nasty(4).map((name) => ({ ...payload, [`k${name}`]: [1.5, null] }))),
  { minLength: 1, maxLength: 6 },
);

/** A query: a part of some payload's text in another case, or anything. */
const queries = fc.array(
  fc.record({
    of: fc.nat(5),
    from: fc.nat(60),
    length: fc.integer({ min: 1, max: 12 }),
    case: fc.nat(2),
    other: nasty(4),
  }),
  { minLength: 6, maxLength: 6 },
);

/** The text that is searched, made another way than the server makes it. */
function modelText(payload: object): string {
  const resolved = JSON.stringify(payload).replaceAll(/\\(?:u([0-9a-f]{4})|(.))/g, (_all, hex, kind) =>
    hex === undefined ? (JSON.parse(`"\\${kind}"`) as string) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return modelFold(resolved);
}

const modelFold = (text: string) =>
  [...text].map((point) => (point === "ς" ? "σ" : point.toLowerCase())).join("");

function textSuite(opened: Opened): void {
  test("whatever is asked, what is found is what holds it, indexed or not", {
    timeout: 30_000,
  }, async (context) => {
    await using server = await opened(context);
    const indexer = indexerOf(server);
    await fc.assert(
      fc.asyncProperty(payloads, queries, fc.nat(7), async (texts, asked, indexed) => {
        const by = await server.account();
        const made: { id: string; text: string }[] = [];
        for (const payload of texts)
          made.push({ id: (await server.commit(by, { payload })).id, text: modelText(payload) });
        if (indexed > 0) await indexer.step({ commits: indexed * 2, bytes: 1e6 });
        for (const { of, from, length, case: letters, other } of asked) {
          const points = [...(made[of]?.text ?? other)].slice(from, from + length).join("");
          const part = points || other || "a";
          const q = letters === 0 ? part : letters === 1 ? part.toUpperCase() : part.toLowerCase();
          const expected = made.filter(({ text }) => text.includes(modelFold(q))).map(({ id }) => id);
          const answer = await search(server, by, { q });
          expect([q, idsOf(answer), answer.total]).toEqual([q, expected.reverse(), expected.length]);
        }
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  test("escapes are read as what they stand for, numbers as they were sent", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const { status, json } = await server.call(
      { path: "/api/commit", body: '{"payload": {"caf\\u00e9": "a\\"b\\\\c\\ud83d\\ude00\\n", "n": 1e2}}' },
      ana,
    );
    expect(status).toBe(200);
    const { id } = json as { id: string };
    for (const indexed of [false, true]) {
      if (indexed) await indexAll(server);
      for (const q of ["CAFÉ", 'a"b\\c😀\n', "1e2", '"n": 1', "é", "😀"])
        expect([q, idsOf(await search(server, ana, { q }))]).toEqual([q, [id]]);
      for (const q of ["u00e9", "100", "\\n", "\ud83d\u0041"])
        expect([q, (await search(server, ana, { q })).total]).toEqual([q, 0]);
    }
  });

  test("a query of 10,000 characters is found, and one that repeats itself takes no longer", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const text = "ab".repeat(200_000);
    const commit = await server.commit(ana, { payload: { output: `${text}c` } });
    for (const indexed of [false, true]) {
      if (indexed) await indexAll(server);
      const found = await search(server, ana, { q: `${"ab".repeat(4999)}bc`.slice(1) });
      expect(found.total).toBe(0);
      expect(idsOf(await search(server, ana, { q: `${"AB".repeat(4999)}Ab` }))).toEqual([commit.id]);
      expect(idsOf(await search(server, ana, { q: "BAbc" }))).toEqual([commit.id]);
    }
  });

  test("another account's words are nobody else's", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    // The index takes the mark for Ana's own.
    const output = `their secret word ${accountGram(ana.account)}`;
    const theirs = await server.commit(bo, { payload: { output }, traceId: "trc_x" });
    await server.commit(ana, { payload: { output: "mine" } });
    for (const indexed of [false, true]) {
      if (indexed) await indexAll(server);
      const asks: Record<string, string>[] = [
        { q: "secret" },
        { q: "w" },
        { q: "their secret word" },
        { traceId: "trc_x" },
        { agentId: bo.id },
      ];
      for (const asked of asks) {
        expect(await search(server, ana, asked)).toMatchObject({ results: [], total: 0, nextCursor: null });
        expect(idsOf(await search(server, bo, asked))).toEqual([theirs.id]);
      }
    }
  });

  test("what was pruned matches no text, has left the index, and is still counted among all", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await server.commit(ana, { payload: { output: "forgotten words" } });
    await indexAll(server);
    const engine = searchEngine(server.db.dialect);
    const query = { all: ["for", accountGram(ana.account)], or: "xyz" };
    const range = { account: ana.account, from: 0, before: 9, limit: 9 };
    expect(await engine.find(server.db, query, range)).toEqual([0]);
    await server.db.write((tx) => prunePayloads(tx, [0], 1));
    expect(await engine.find(server.db, query, range)).toEqual([]);
    expect((await search(server, ana, { q: "forgotten" })).total).toBe(0);
    expect((await search(server, ana, { q: "f" })).total).toBe(0);
    expect(await search(server, ana, {})).toMatchObject({ total: 1, results: [{ payload: null }] });
  });
}

function filterSuite(opened: Opened): void {
  test("filters narrow down before the limit, each by what it names", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const second = await server.agentOf(ana.account, "second");
    const ids: string[] = [];
    for (let at = 0; at < 12; at++) {
      const body = {
        payload: { output: at % 3 === 0 ? "red apple" : "green pear" },
        traceId: `trc_${at % 4}`,
        eventType: ["checkpoint", "tool.call", "commit"][at % 3],
        agent: { model: `m${at % 2}`, provider: at < 6 ? "one" : "two" },
      };
      ids.push((await server.commit(at === 7 ? second : ana, body)).id);
      // From 10:00 on, a commit each hour and a half: the eleventh and twelfth on the next day.
      await server.clock.advance(90 * 60_000);
    }
    const expectations: [Record<string, string>, number[]][] = [
      [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
      [{ q: "APPLE" }, [0, 3, 6, 9]],
      [{ q: "APPLE", limit: "1" }, [0, 3, 6, 9]],
      [{ model: "m1" }, [1, 3, 5, 7, 9, 11]],
      [{ model: "M1" }, []],
      [{ provider: "two", q: "pear" }, [7, 8, 10, 11]],
      [{ event: "checkpoint" }, [0, 3, 6, 9]],
      [{ event: "tool.call" }, [1, 4, 7, 10]],
      [{ event: "commit" }, [1, 2, 4, 5, 7, 8, 10, 11]],
      [{ traceId: "trc_2" }, [2, 6, 10]],
      [{ traceId: "trc_2", q: "apple" }, [6]],
      [{ agentId: second.id }, [7]],
      [{ agentId: second.name }, []],
      [{ from: "2026-11-21T13:00:00Z" }, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
      [{ to: "2026-11-21T13:00:00Z" }, [0, 1, 2]],
      [{ to: "2026-11-21T12:59:59.999Z" }, [0, 1]],
      [{ to: "2026-11-21" }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
      [{ from: "2026-11-22" }, [10, 11]],
      [{ from: "2026-11-22", to: "2026-11-21" }, []],
      [{ from: "2026-11-21T15:00:00+02:00", to: "2026-11-21T14:30" }, [2, 3]],
      [{ verified: "true", q: "apple" }, [0, 3, 6, 9]],
      [{ verified: "false" }, []],
      [{ model: "a\0b" }, []],
      [{ traceId: "' OR 1=1 --" }, []],
      [{ model: "", q: "", limit: "" }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    ];
    for (const indexed of [false, true]) {
      if (indexed) await indexAll(server);
      for (const [asked, positions] of expectations) {
        const answer = await search(server, ana, asked);
        const expected = positions.map((at) => ids[at]).reverse();
        expect([asked, idsOf(answer), answer.total]).toEqual([
          asked,
          expected.slice(0, Number(asked.limit || 50)),
          expected.length,
        ]);
      }
    }
  });

  test("verified is what recomputing finds, now", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    for (let at = 0; at < 3; at++) await server.commit(ana, { payload: { output: `step ${at}` } });
    await server.db.write((tx) =>
      tx.run("UPDATE ledger_payloads SET payload = ? WHERE position = 1", '{"output":"step 9"}'),
    );
    const broken = await search(server, ana, { verified: "false", q: "step" });
    expect(broken.results).toMatchObject([{ integrity: { verification_status: "broken" } }]);
    expect((await search(server, ana, { verified: "true" })).total).toBe(2);
  });
}

function pageSuite(opened: Opened): void {
  test("pages follow on each other, and their total stays, while commits arrive and are indexed", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    const ids: string[] = [];
    const commit = async (output: string) => {
      const { id } = await server.commit(ana, { payload: { output } });
      await server.commit(bo, { payload: { output } });
      return id;
    };
    for (let at = 0; at < 11; at++) ids.push(await commit(`pages ${at}`));
    const asks: Record<string, string>[] = [{ q: "pages" }, { q: "p" }, {}, { verified: "true", q: "pages" }];
    for (const asked of asks) {
      const seen: string[] = [];
      let cursor = "";
      const expected = ids.toReversed();
      for (let page = 0; page < 4; page++) {
        const answer = await search(server, ana, { ...asked, limit: "3", cursor });
        expect([answer.total, answer.count]).toEqual([expected.length, answer.results.length]);
        seen.push(...idsOf(answer));
        expect(answer.nextCursor === null).toBe(seen.length >= expected.length);
        if (answer.nextCursor === null) break;
        cursor = answer.nextCursor;
        ids.push(await commit("pages more"));
        if (page % 2 === 0) await indexAll(server);
      }
      expect(seen).toEqual(expected.slice(0, seen.length));
      expect(seen.length).toBe(Math.min(12, expected.length));
    }
  });
}

function dashboardSuite(opened: Opened): void {
  test("a session sees its account's commits in pages, with who wrote for whom", async (context) => {
    await using server = await opened(context);
    const signed = await server.call({
      path: "/auth/signup",
      body: { email: "eve@example.test", password: "long enough" },
    });
    const { session } = signed.json as { session: { access_token: string } };
    const headers = { authorization: `Bearer ${session.access_token}` };
    const account = await server.db.get<{ id: number }>(
      "SELECT id FROM ledger_accounts WHERE email = ?",
      "eve@example.test",
    );
    const [ana, bo] = [
      await server.agentOf(account?.id ?? 0, "ana"),
      await server.agentOf(account?.id ?? 0, "bo"),
    ];
    const ids: string[] = [];
    for (let at = 0; at < 5; at++)
      ids.push((await server.commit(ana, { payload: { output: `shown ${at}` }, toAgentId: bo.id })).id);
    await server.commit(await server.account(), { payload: { output: "shown to others" } });

    const seen: { id: string }[] = [];
    let path: string | undefined = "/dashboard/commits?q=shown&limit=2";
    while (path !== undefined) {
      const page: Awaited<ReturnType<TestServer["call"]>> = await server.call({ path, headers });
      expect([page.status, page.headers["x-total-count"]]).toEqual([200, "5"]);
      seen.push(...(page.json as { id: string }[]));
      path = /^<(.+)>; rel="next"$/.exec(page.headers.link ?? "")?.[1];
    }
    expect(seen.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(seen[0]).toMatchObject({ from: "ana", fromId: ana.id, to: "bo", toId: bo.id });
    const byKey = await server.call({ path: "/dashboard/commits" }, ana);
    expect(byKey.status).toBe(401);
  });
}
