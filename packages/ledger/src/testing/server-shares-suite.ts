import { DAY_MS } from "@darkmatter/core";
import { describe, expect, type TestContext, test } from "vitest";
import { insertShare, isCovered } from "../server/shares/shares.store.ts";
import { longChain } from "./server-chain-world.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

type Opened = (context: TestContext) => Promise<TestServer>;

/** What a share publishes, and for how long, on every database: run it on yours. */
export function sharesSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });
  describe(`shares: ${name}`, () => {
    gateTests(opened);
    contentTests(opened);
    lifeTests(opened);
  });
}

export interface Shared {
  readonly shareId: string;
  readonly shareUrl: string;
  readonly ctxId: string | null;
  readonly markdown: string;
}

export async function share(
  server: TestServer,
  by: TestAgent,
  path: string,
  wishes: object = {},
): Promise<Shared> {
  const answer = await server.call({ path: `/api/share/${path}`, body: wishes }, by);
  if (answer.status !== 200) throw new Error(`share: ${answer.status} ${answer.text}`);
  return answer.json as unknown as Shared;
}

/** The ids that a share's chain shows, and what is said of it. */
async function seen(server: TestServer, shareId: string) {
  const { status, json } = await server.call({ path: `/api/chain/${shareId}` });
  const body = json as unknown as {
    replay?: { id: string; payload: unknown }[];
    chainIntact?: boolean;
    totalSteps?: number;
    viewCount?: number;
  };
  return { status, ...body, ids: body.replay?.map(({ id }) => id) };
}

/** A chain of that many commits; their ids, root first. */
export async function chainOf(server: TestServer, by: TestAgent, steps: number, more: object = {}) {
  const ids: string[] = [];
  for (let step = 1; step <= steps; step++) {
    const body = { payload: { step }, parentId: ids.at(-1) ?? null, ...more };
    ids.push((await server.commit(by, body)).id);
  }
  return ids;
}

const at = (ids: readonly string[], index: number) => ids[index] ?? "";
const proof = (server: TestServer, id: string, base = "r") =>
  server.call({ path: `/${base}/${id}?format=json` });

function gateTests(opened: Opened): void {
  test("nothing is shown of a commit that nobody shared; it is as one that does not exist", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [id = ""] = await chainOf(server, ana, 1, { traceId: "trc_1" });
    for (const base of ["r", "verify"]) {
      for (const format of ["json", "html"]) {
        const ask = (one: string) => server.call({ path: `/${base}/${one}?format=${format}` });
        const [there, unknown, trace] = [await ask(id), await ask("ctx_1_000000000000"), await ask("trc_1")];
        expect(there.status).toBe(404);
        expect([there.status, there.text, there.headers]).toEqual([404, unknown.text, unknown.headers]);
        expect(trace.text).toBe(unknown.text);
      }
    }
  });

  test("nobody shares, lists or revokes what is another account's", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    const [id = ""] = await chainOf(server, bo, 1, { traceId: "trc_bo" });
    const theirs = await share(server, bo, id);
    const pairs = [
      [
        { path: `/api/share/${id}`, body: {} },
        { path: "/api/share/ctx_1_000000000000", body: {} },
      ],
      [{ path: `/api/share/${id}/markdown` }, { path: "/api/share/ctx_1_000000000000/markdown" }],
      [
        { path: "/api/share/trace/trc_bo", body: {} },
        { path: "/api/share/trace/trc_no", body: {} },
      ],
      [
        { method: "DELETE", path: `/api/share/${theirs.shareId}` },
        { method: "DELETE", path: "/api/share/share_0000000000000000" },
      ],
    ] as const;
    for (const [there, unknown] of pairs) {
      const [a, b] = [await server.call(there, ana), await server.call(unknown, ana)];
      expect([a.status, a.text]).toEqual([404, b.text]);
    }
    expect((await server.call({ path: "/api/shares" }, ana)).json).toEqual({ shares: [], count: 0 });
    expect((await seen(server, theirs.shareId)).status).toBe(200);
    const rows = await server.db.all("SELECT id FROM ledger_shares WHERE account = ?", ana.account);
    expect(rows).toEqual([]);
  });

  test("a share opens its commit and that one's ancestors, and nothing else of the account", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [first = "", second = ""] = await chainOf(server, ana, 2);
    const [apart = ""] = await chainOf(server, ana, 1);
    // Both stand before the shared commit in the log.
    const sibling = await server.commit(ana, { payload: { secret: 1 }, parentId: first });
    const tip = await server.commit(ana, { payload: {}, parentId: second });
    const later = await server.commit(ana, { payload: { secret: 2 }, parentId: tip.id });
    await share(server, ana, tip.id);
    const statuses = await Promise.all(
      [first, second, tip.id, sibling.id, later.id, apart].map(
        async (id) => (await proof(server, id)).status,
      ),
    );
    expect(statuses).toEqual([200, 200, 200, 404, 404, 404]);
    // An ancestor's own page shows what leads to it, not what followed.
    const { json } = await proof(server, first, "verify");
    expect(json).toMatchObject({ step_count: 1, chain_intact: true, commits: [{ id: first }] });
  });

  test("whether a share covers a commit is found in a time that grows with the chain, not with its square", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const ids = await longChain(server, ana, 3000);
    const shared = { kind: "chain", commitId: at(ids, -1), root: 0, until: ids.length - 1 } as const;
    const made = { id: "share_1", account: ana.account, madeBy: ana.id, label: null, createdMs: 0 };
    await server.db.write((tx) => insertShare(tx, { ...made, shared, expiresMs: null }));
    const took: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const began = performance.now();
      const root = { position: 0, root: 0, account: ana.account };
      expect(await isCovered(server.db, root, server.clock.now())).toBe(true);
      took.push(performance.now() - began);
    }
    // Some ms, where reading the account at every step takes most of a second.
    expect(Math.min(...took)).toBeLessThan(150);
  });
}

function contentTests(opened: Opened): void {
  test("a share shows the chain as it was: nothing later, no siblings", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const ids = await chainOf(server, ana, 3, { traceId: "trc_1" });
    const { shareId, shareUrl } = await share(server, ana, at(ids, 1));
    expect(shareUrl).toBe(`http://ledger.test/chain/${shareId}`);
    await server.commit(ana, { payload: { secret: 1 }, parentId: at(ids, 1), traceId: "trc_1" });
    await server.commit(ana, { payload: { secret: 2 }, parentId: at(ids, 0), traceId: "trc_1" });
    const shown = await seen(server, shareId);
    expect(shown).toMatchObject({ ids: ids.slice(0, 2), totalSteps: 2, chainIntact: true });
    for (const path of [`/chain/${shareId}`, `/api/og/${shareId}`, `/r/${at(ids, 1)}`]) {
      const { status, text } = await server.call({ path });
      expect(status).toBe(200);
      expect(text).not.toContain("secret");
      expect(text).not.toContain(at(ids, 2));
    }
  });

  test("a trace's share shows its commits up to then, each chain of them recomputed", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    const first = await chainOf(server, ana, 2, { traceId: "trc_1" });
    const second = await chainOf(server, ana, 2, { traceId: "trc_1" });
    const fork = await server.commit(ana, { payload: {}, parentId: at(first, 0), traceId: "trc_1" });
    const outside = await server.commit(ana, { payload: { secret: 1 }, parentId: at(first, 1) });
    await chainOf(server, bo, 1, { traceId: "trc_1" });
    const { shareId } = await share(server, ana, "trace/trc_1");
    await server.commit(ana, { payload: { secret: 2 }, parentId: fork.id, traceId: "trc_1" });
    await server.commit(bo, { payload: { secret: 3 }, traceId: "trc_1" });

    const ids = [...first, ...second, fork.id];
    expect(await seen(server, shareId)).toMatchObject({ ids, totalSteps: 5, chainIntact: true });
    const { json, text } = await proof(server, "trc_1");
    expect(json).toMatchObject({ trace_id: "trc_1", step_count: 5, commits: ids.map((id) => ({ id })) });
    expect(text).not.toContain("secret");
    expect((await proof(server, outside.id)).status).toBe(404);
    // Whoever shares a trace of the same name later takes its address over for nobody.
    await server.clock.advance(1000);
    await share(server, bo, "trace/trc_1");
    expect((await proof(server, "trc_1")).json).toMatchObject({ step_count: 5 });
  });

  test("a commit that was changed in the database is named by every view of it", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const ids = await chainOf(server, ana, 3);
    const { shareId } = await share(server, ana, at(ids, 2));
    await server.db.write((tx) =>
      tx.run(
        "UPDATE ledger_payloads SET payload = ? WHERE position = (SELECT position FROM ledger_commits WHERE id = ?)",
        '{"step":9}',
        at(ids, 1),
      ),
    );
    const { json } = await server.call({ path: `/api/chain/${shareId}` });
    expect(json).toMatchObject({ chainIntact: false, brokenAt: at(ids, 1) });
    expect((await proof(server, at(ids, 2))).json).toMatchObject({
      chain_intact: false,
      verification: [
        { payload_hash_verified: true },
        { payload_hash_verified: false, chain_verified: true },
        { payload_hash_verified: true },
      ],
    });
    const page = (await server.call({ path: `/chain/${shareId}` })).text;
    expect(page).toContain("Broken:");
    expect(page).not.toContain("Intact:");
    const card = (await server.call({ path: `/api/og/${shareId}` })).text;
    expect(card).toContain("Broken:");
    const markdown = await server.call({ path: `/api/share/${at(ids, 2)}/markdown` }, ana);
    expect(markdown.json).toMatchObject({ intact: false, markdown: expect.stringContaining("Broken:") });
  });
}

function lifeTests(opened: Opened): void {
  test("a share ends with its time", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [id = ""] = await chainOf(server, ana, 1);
    const { shareId } = await share(server, ana, id, { expiresInDays: 2 });
    const paths = [`/api/chain/${shareId}`, `/chain/${shareId}`, `/api/og/${shareId}`];
    const statuses = () => Promise.all(paths.map(async (path) => (await server.call({ path })).status));
    await server.clock.advance(2 * DAY_MS - 1);
    expect(await statuses()).toEqual([200, 200, 200]);
    expect((await proof(server, id)).status).toBe(200);
    await server.clock.advance(1);
    expect(await statuses()).toEqual([410, 410, 410]);
    expect((await proof(server, id)).status).toBe(404);
    expect((await server.call({ path: "/api/shares" }, ana)).json).toMatchObject({
      shares: [{ shareId, isExpired: true }],
    });
  });

  test("a revoked share is as one that never was; a second time changes nothing", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [id = ""] = await chainOf(server, ana, 1, { traceId: "trc_1" });
    const shares = [
      await share(server, ana, id, { expiresInDays: 1 }),
      await share(server, ana, "trace/trc_1"),
    ];
    for (const { shareId } of shares) {
      const revoke = () => server.call({ method: "DELETE", path: `/api/share/${shareId}` }, ana);
      const first = await revoke();
      await server.clock.advance(DAY_MS);
      expect((await revoke()).json).toEqual(first.json);
      for (const path of ["/api/chain", "/chain", "/api/og"]) {
        const [gone, unknown] = [
          await server.call({ path: `${path}/${shareId}` }),
          await server.call({ path: `${path}/share_0000000000000000` }),
        ];
        expect([gone.status, gone.text]).toEqual([404, unknown.text]);
      }
    }
    expect([(await proof(server, id)).status, (await proof(server, "trc_1")).status]).toEqual([404, 404]);
    expect((await server.call({ path: "/api/shares" }, ana)).json).toMatchObject({ count: 0 });
  });

  test("a trace's address leads to no other account, also when its shares have ended", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    for (const one of [ana, bo])
      await chainOf(server, one, 1, { traceId: "trc_1", agent: { model: one.id } });
    const first = await share(server, ana, "trace/trc_1", { expiresInDays: 1 });
    // The clock of another machine may be behind: whoever came first, came first.
    await server.db.write((tx) => tx.run("UPDATE ledger_shares SET created_ms = created_ms + 1000"));
    const theirs = await share(server, bo, "trace/trc_1");
    const shown = async () => {
      const { status, text } = await proof(server, "trc_1");
      return [status, text.includes(ana.id), text.includes(bo.id)];
    };
    expect(await shown()).toEqual([200, true, false]);
    await server.clock.advance(DAY_MS);
    expect(await shown()).toEqual([404, false, false]);
    const again = await share(server, ana, "trace/trc_1");
    expect(await shown()).toEqual([200, true, false]);
    await server.call({ method: "DELETE", path: `/api/share/${again.shareId}` }, ana);
    expect(await shown()).toEqual([404, false, false]);
    // Each share's own address goes on to lead to what it published.
    expect((await seen(server, first.shareId)).status).toBe(410);
    expect((await seen(server, theirs.shareId)).ids).toHaveLength(1);
  });

  test("a trace that is named like another account's commit tells nothing of it", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    const [theirs = ""] = await chainOf(server, bo, 1);
    for (const traceId of [theirs, "ctx_1_000000000000"]) {
      await chainOf(server, ana, 1, { traceId });
      const { shareId } = await share(server, ana, `trace/${traceId}`);
      expect([(await proof(server, traceId)).status, (await seen(server, shareId)).status]).toEqual([
        404, 200,
      ]);
    }
    await share(server, bo, theirs);
    expect((await proof(server, theirs)).json).toMatchObject({ commits: [{ id: theirs }] });
  });

  test("looks at a share are counted, and written now and then", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [id = ""] = await chainOf(server, ana, 1);
    const { shareId } = await share(server, ana, id);
    const counts = [];
    for (let look = 0; look < 3; look++) counts.push((await seen(server, shareId)).viewCount);
    expect(counts).toEqual([1, 2, 3]);
    const job = server.server.jobs.find(({ name }) => name === "views of shares");
    await job?.run();
    expect((await server.call({ path: "/api/shares" }, ana)).json).toMatchObject({
      shares: [{ viewCount: 3, ctxId: id }],
    });
    expect((await seen(server, shareId)).viewCount).toBe(4);
  });
}
