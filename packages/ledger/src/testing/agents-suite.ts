import { DAY_MS, MINUTE_MS } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../server/ports.ts";
import { type OpenShared, tablesText, twoServers } from "./accounts-suite.ts";
import { loggedIn, signedUp, type TestPerson } from "./sessions.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

type Made = { agentId: string; apiKey: string };

/** What a server keeps of agents and counts of their calls, on every engine. */
export function agentsSuite(engine: string, open: OpenShared): void {
  describe(`agents on ${engine}`, () => {
    dashboard(open);
    spawning(open);
    handMade(open);
    retention(open);
    counting(open);
  });
}

async function makeAgent(server: TestServer, by: TestPerson, agentName: string): Promise<TestAgent> {
  const answer = await server.call({ path: "/dashboard/agents", body: { agentName }, headers: by.bearer });
  expect(answer).toMatchObject({ status: 200, json: { agentName } });
  const { agentId: id, apiKey: key } = answer.json as Made;
  return { id, key, name: agentName, account: by.account };
}

const meStatus = async (server: TestServer, key: string) =>
  (await server.call({ path: "/api/me", headers: { authorization: `Bearer ${key}` } })).status;

const listed = async (server: TestServer, by: TestPerson) =>
  (await server.call({ path: "/dashboard/agents", headers: by.bearer })).json as Record<string, unknown>[];

function dashboard(open: OpenShared): void {
  test("a key that was replaced is refused at once in every process; the agent and its history stay", async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const ana = await signedUp(server, "ana@example.test");
    const agent = await makeAgent(server, ana, "Billing · EU");
    const { id: commit } = await server.commit(agent, { payload: { n: 1 } });
    expect(await meStatus(second, agent.key)).toBe(200);

    const rotated = await second.call({
      method: "POST",
      path: `/dashboard/agents/${agent.id}/rotate`,
      headers: ana.bearer,
    });

    expect(rotated).toMatchObject({ status: 200, json: { agentId: agent.id, rotated: true } });
    const { apiKey } = rotated.json as Made;
    expect(apiKey).not.toBe(agent.key);
    expect([await meStatus(server, agent.key), await meStatus(second, agent.key)]).toEqual([401, 401]);
    const again = { ...agent, key: apiKey };
    expect((await server.commit(again, { payload: { n: 2 }, parentId: commit })).id).toMatch(/^ctx_/);
    const hint = `${apiKey.slice(0, 10)}••••••••${apiKey.slice(-4)}`;
    expect(await listed(server, ana)).toMatchObject([{ agentId: agent.id, apiKeyHint: hint }]);
  });

  test("an ended agent's key is refused, and it is listed and changed no more", async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const ana = await signedUp(server, "ana@example.test");
    const agent = await makeAgent(server, ana, "helper");
    const path = `/dashboard/agents/${agent.id}`;
    const end = () => server.call({ method: "DELETE", path, headers: ana.bearer });
    expect(await end()).toMatchObject({ status: 200, json: { deleted: true } });
    expect([await meStatus(server, agent.key), await meStatus(second, agent.key)]).toEqual([401, 401]);
    expect(await listed(server, ana)).toEqual([]);
    expect((await end()).status).toBe(404);
    const rotate = await server.call({ method: "POST", path: `${path}/rotate`, headers: ana.bearer });
    expect(rotate.status).toBe(404);
  });

  test("another account's agent is as one that does not exist, and stays as it is", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const [ana, bo] = [await signedUp(server, "ana@example.test"), await signedUp(server, "bo@example.test")];
    const theirs = await makeAgent(server, bo, "theirs");
    const before = await tablesText(server.db);
    for (const [method, rest, body] of [
      ["POST", "/rotate", {}],
      ["DELETE", "", undefined],
      ["POST", "/webhook", { webhookUrl: "https://example.com/hook", webhookSecret: "s" }],
      ["POST", "/retention", { retentionDays: 1 }],
    ] as const) {
      const [other, unknown] = await Promise.all(
        [theirs.id, "dm_0000000000000000"].map((id) =>
          server.call({
            method,
            path: `/dashboard/agents/${id}${rest}`,
            headers: ana.bearer,
            ...(body && { body }),
          }),
        ),
      );
      expect(unknown?.status).toBe(404);
      expect([other?.status, other?.text]).toEqual([404, unknown?.text]);
    }
    expect(await listed(server, ana)).toEqual([]);
    expect(await tablesText(server.db)).toBe(before);
    expect(await meStatus(server, theirs.key)).toBe(200);
  });

  test("webhook and retention are set, shown and removed; when an agent was active is written now and then", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const ana = await signedUp(server, "ana@example.test");
    const agent = await makeAgent(server, ana, "helper");
    const set = (what: string, body: object) =>
      server.call({ path: `/dashboard/agents/${agent.id}/${what}`, body, headers: ana.bearer });
    const url = "https://example.com/hook?x=1";
    expect(await set("webhook", { webhookUrl: url, webhookSecret: "s" })).toMatchObject({
      status: 200,
      json: { webhookUrl: url, hasSecret: true },
    });
    await set("retention", { retentionDays: 30 });
    await meStatus(server, agent.key);
    expect(await listed(server, ana)).toMatchObject([
      { webhookUrl: url, retentionDays: 30, lastActive: null, createdAt: "2026-11-21T10:00:00.000Z" },
    ]);
    await jobOf(server, "ledger.activity");
    await set("webhook", { webhookUrl: null });
    await set("retention", { retentionDays: null });
    expect(await listed(server, ana)).toMatchObject([
      { webhookUrl: null, retentionDays: null, lastActive: "2026-11-21T10:00:00.000Z" },
    ]);
    for (const webhookUrl of ["http://example.com", "https://u:p@example.com", "ftp://x", "", "https://", 1])
      expect((await set("webhook", { webhookUrl })).status).toBe(400);
    for (const retentionDays of [0, -1, 1.5, "7", undefined, 1e9])
      expect((await set("retention", { retentionDays })).status).toBe(400);
  });
}

const jobOf = async (server: TestServer, name: string) =>
  server.server.jobs.find((job) => job.name === name)?.run();

function spawning(open: OpenShared): void {
  const spawn = (server: TestServer, by: TestAgent, agentName = "helper") =>
    server.call({ path: "/api/agents/register", body: { agentName, role: "writer" } }, by);

  test("however many an account's agents register at once, it is ten agents a day", async (context) => {
    await using servers = await twoServers(await open(context), { spawnsADay: DEFAULT_LIMITS.spawnsADay });
    const { server, second } = servers;
    // Several rounds, for by chance one may pass without two acts at the same time.
    for (let round = 0; round < 4; round++) {
      const [ana, bo] = [await server.account("ana"), await server.account("bo")];
      const brother = await server.agentOf(ana.account, "brother");
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, at) =>
          spawn(at % 2 === 0 ? server : second, at % 3 === 0 ? ana : brother, `helper-${at}`),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 201)).toHaveLength(10);
      expect(statuses.filter((status) => status === 429)).toHaveLength(14);
      const refused = answers.find(({ status }) => status === 429);
      expect(refused).toMatchObject({
        json: { limit: 10, resets_at: "2026-11-22T00:00:00.000Z", error: expect.any(String) },
        headers: { "retry-after": String(14 * 3600) },
      });
      expect((await spawn(server, bo)).status).toBe(201);
    }
  });

  test("registered agents are their account's, count although ended, and by days of UTC", async (context) => {
    await using server = await testServer({ db: (await open(context)).db, limits: { spawnsADay: 2 } });
    const ana = await signedUp(server, "ana@example.test");
    const first = await makeAgent(server, ana, "first");
    const made = await spawn(server, first);
    expect(made).toMatchObject({
      status: 201,
      json: { spawnedBy: first.id, meta: { role: "writer", provider: null, model: null } },
    });
    const { agentId, apiKey } = made.json as Made;
    const grandchild = await spawn(server, { ...first, id: agentId, key: apiKey });
    expect(grandchild).toMatchObject({ status: 201, json: { spawnedBy: agentId } });
    await server.call({ method: "DELETE", path: `/dashboard/agents/${agentId}`, headers: ana.bearer });
    expect((await spawn(server, first)).status).toBe(429);
    // Agents that people make are no spawns.
    await makeAgent(server, ana, "by hand");
    await server.clock.advance(14 * 60 * MINUTE_MS - 1);
    expect((await spawn(server, first)).status).toBe(429);
    await server.clock.advance(1);
    expect((await spawn(server, first)).status).toBe(201);
    for (const agentName of ["", "a/b", "é", "x".repeat(101), "a·b", null, 7])
      expect((await spawn(server, first, agentName as string)).status).toBe(400);
  });
}

function handMade(open: OpenShared): void {
  test("however many agents an account's people make at once, it is so many a day, ended ones among them", async (context) => {
    await using servers = await twoServers(await open(context), { agentsADay: 5 });
    const { server, second } = servers;
    const [ana, bo] = [await signedUp(server, "ana@example.test"), await signedUp(server, "bo@example.test")];
    const make = (by: TestPerson, agentName: string, at = server) =>
      at.call({ path: "/dashboard/agents", body: { agentName }, headers: by.bearer });
    const first = await makeAgent(server, ana, "first");
    await server.call({ method: "DELETE", path: `/dashboard/agents/${first.id}`, headers: ana.bearer });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, at) => make(ana, `helper-${at}`, at % 2 === 0 ? server : second)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(8);
    expect(refused[0]).toMatchObject({
      json: { code: "agent_limit", limit: 5, resets_at: "2026-11-22T00:00:00.000Z" },
      headers: { "retry-after": String(14 * 3600) },
    });
    expect(await listed(server, ana)).toHaveLength(4);
    // Each account has its own, and what agents register is counted apart.
    await makeAgent(server, bo, "theirs");
    const made = answers.find(({ status }) => status === 200)?.json as Made | undefined;
    const agent = { id: made?.agentId ?? "", key: made?.apiKey ?? "", name: "", account: ana.account };
    const spawned = await server.call({ path: "/api/agents/register", body: { agentName: "x" } }, agent);
    expect(spawned.status).toBe(201);
    await server.clock.advance(14 * 60 * MINUTE_MS);
    await makeAgent(server, await loggedIn(server, ana.email), "of the next day");
  });
}

function retention(open: OpenShared): void {
  test("payloads older than their agent keeps them go, and nothing else does", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const ana = await signedUp(server, "ana@example.test");
    const [brief, keeper] = [await makeAgent(server, ana, "brief"), await makeAgent(server, ana, "keeper")];
    const old: string[] = [];
    for (let step = 0; step < 3; step++) {
      old.push((await server.commit(brief, { payload: { secret: `old-${step}` } })).id);
      await server.commit(keeper, { payload: { note: `kept-${step}` }, parentId: old[step] });
    }
    await server.call({
      path: `/dashboard/agents/${brief.id}/retention`,
      body: { retentionDays: 7 },
      headers: ana.bearer,
    });
    await server.clock.advance(7 * DAY_MS);
    await server.commit(brief, { payload: { secret: "young" } });
    const commits = await server.db.all("SELECT * FROM ledger_commits ORDER BY position");
    await jobOf(server, "ledger.retention");
    // Exactly seven days old is not older.
    expect(await payloads(server)).toHaveLength(7);
    await server.clock.advance(1);
    await jobOf(server, "ledger.retention");
    await jobOf(server, "ledger.retention");

    expect(await payloads(server)).toEqual([
      expect.stringContaining("kept-0"),
      expect.stringContaining("kept-1"),
      expect.stringContaining("kept-2"),
      expect.stringContaining("young"),
    ]);
    expect(await server.db.all("SELECT * FROM ledger_commits ORDER BY position")).toEqual(commits);
    expect(await server.db.all("SELECT position FROM ledger_pruned ORDER BY position")).toEqual(
      [0, 2, 4].map((position) => ({ position })),
    );
    expect(
      await server.db.all("SELECT subject, number FROM ledger_audit WHERE act = 'payloads.pruned'"),
    ).toEqual([{ subject: brief.id, number: 3 }]);
    expect(await tablesText(server.db)).not.toContain("old-");
  });

  test("what was written about accounts and agents is not changed any more", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    await signedUp(server, "ana@example.test");
    for (const sql of ["UPDATE ledger_audit SET act = 'x'", "DELETE FROM ledger_audit"])
      await expect(server.db.write((tx) => tx.run(sql))).rejects.toThrow();
  });
}

const payloads = async (server: TestServer) =>
  (await server.db.all<{ payload: string }>("SELECT payload FROM ledger_payloads ORDER BY position")).map(
    ({ payload }) => payload,
  );

function counting(open: OpenShared): void {
  test("all processes count one key's calls together, and say when to come again", async (context) => {
    await using servers = await twoServers(await open(context), { callsAMinute: 6 });
    const { server, second } = servers;
    const ana = await server.account("ana");
    const brother = await server.agentOf(ana.account, "brother");
    const calls = await Promise.all(
      Array.from({ length: 16 }, (_, at) => (at % 2 === 0 ? server : second).call({ path: "/api/me" }, ana)),
    );
    expect(calls.filter(({ status }) => status === 200)).toHaveLength(6);
    const refused = calls.find(({ status }) => status === 429);
    expect(refused).toMatchObject({
      headers: { "retry-after": "60", "ratelimit-limit": "6", "ratelimit-remaining": "0" },
      json: { code: "rate_limited", error: expect.any(String) },
    });
    expect((await server.call({ path: "/api/me" }, brother)).status).toBe(200);
    await server.clock.advance(MINUTE_MS);
    expect(await second.call({ path: "/api/me" }, ana)).toMatchObject({
      status: 200,
      headers: { "ratelimit-remaining": "5", "ratelimit-reset": "60" },
    });
    await jobOf(server, "ledger.windows");
    await server.clock.advance(MINUTE_MS);
    await jobOf(server, "ledger.windows");
    expect(await server.db.all("SELECT name FROM ledger_windows")).toEqual([]);
  });
}
