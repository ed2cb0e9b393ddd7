import { HOUR_MS } from "@darkmatter/core";
import { type TestServer, testServer } from "@darkmatter/ledger/testing";
import { netError, type OutboundAnswer, type OutboundRequest, type Wire } from "@darkmatter/net";
import { expect, test } from "vitest";
import { checkServer, tryCommit } from "./server-check.ts";

const HOST = "https://ledger.test";

function wireTo(
  server: TestServer,
  alter: (answer: OutboundAnswer) => OutboundAnswer = (answer) => answer,
): Wire {
  return {
    async request({ method, url, headers, body }: OutboundRequest) {
      const path = url.slice(HOST.length);
      const answer = await server.call({ method, path, ...(headers && { headers }), ...(body && { body }) });
      return alter({ status: answer.status, headers: answer.headers, body: Buffer.from(answer.text) });
    },
    close: async () => undefined,
  };
}

function portsTo(server: TestServer, apiKey: string | undefined, wire = wireTo(server)) {
  const signal = new AbortController().signal;
  return { host: HOST, apiKey, agentId: undefined as string | undefined, wire, clock: server.clock, signal };
}

const levels = (findings: readonly { level: string; what: string }[]) =>
  findings.map(({ level, what }) => `${level} ${what}`);

test("a server that is well is said to be, and who this is to it", async () => {
  await using server = await testServer();
  const agent = await server.account("ana");
  expect(levels(await checkServer(portsTo(server, agent.key)))).toEqual([
    `ok ${HOST} answers; it holds 0 commits of 1 agents`,
    "ok its log was not signed yet",
    `ok the API key is that of ana (${agent.id})`,
  ]);
  // Looking commits nothing.
  expect((await server.call({ path: "/api/pull" }, agent)).json).toMatchObject({ count: 0 });
});

test("each thing that is wrong is a finding with something to do about it", async () => {
  await using server = await testServer();
  const agent = await server.account("ana");
  const whatOf = async (ports: Parameters<typeof checkServer>[0]) => {
    const findings = await checkServer(ports);
    const wrong = findings.filter(({ level }) => level !== "ok");
    expect(wrong.every(({ fix }) => fix !== undefined)).toBe(true);
    expect(JSON.stringify(findings)).not.toContain(agent.key);
    return levels(wrong).join("\n");
  };
  const away: Wire = { request: () => Promise.reject(netError("UNREACHABLE")), close: async () => undefined };
  expect(await whatOf(portsTo(server, agent.key, away))).toMatch(/^fail .*does not answer/);

  const page = wireTo(server, (answer) => ({ ...answer, body: Buffer.from("<html>") }));
  expect(await whatOf(portsTo(server, agent.key, page))).toMatch(/^fail .*no JSON/);

  expect(await whatOf(portsTo(server, undefined))).toMatch(/^warn no API key/);
  expect(await whatOf(portsTo(server, `dm_sk_${"00".repeat(24)}`))).toMatch(/^fail .*credential/);
  const other = { ...portsTo(server, agent.key), agentId: "dm_0000000000000000" };
  expect(await whatOf(other)).toMatch(
    /^fail the API key is that of dm_.* DARKMATTER_AGENT_ID says dm_0{16}$/,
  );

  const at = (offMs: number) => new Date(server.clock.now() + offMs).toUTCString();
  for (const [offMs, how] of [
    [-HOUR_MS, /ahead of/],
    [HOUR_MS, /behind/],
  ] as const) {
    const dated = wireTo(server, (answer) => ({
      ...answer,
      headers: { ...answer.headers, date: at(offMs) },
    }));
    expect(await whatOf(portsTo(server, agent.key, dated))).toMatch(how);
  }
});

test("a log that grew and is not signed is late after twenty minutes", async () => {
  await using server = await testServer();
  const agent = await server.account("ana");
  await server.commit(agent, { payload: { step: 1 } });
  const admin = { authorization: "Bearer admin-secret-of-the-test" };
  expect((await server.call({ method: "POST", path: "/api/log/checkpoint", headers: admin })).status).toBe(
    200,
  );
  await server.commit(agent, { payload: { step: 2 } });
  await server.clock.advance(HOUR_MS / 6);
  expect(levels(await checkServer(portsTo(server, agent.key)))[1]).toMatch(/^ok .* 1 of 2 commits/);
  await server.clock.advance(HOUR_MS);
  expect(levels(await checkServer(portsTo(server, agent.key)))[1]).toMatch(/^warn .* 1 of 2 commits/);
});

test("when asked to, a commit is made, verified and replayed", async () => {
  await using server = await testServer();
  const agent = await server.account("ana");
  expect(levels(await tryCommit(portsTo(server, agent.key)))).toEqual([
    expect.stringMatching(/^ok took the commit ctx_/),
    "ok verifies and replays it",
  ]);
  const broken = wireTo(server, (answer) => {
    const text = Buffer.from(answer.body).toString().replace('"chain_intact":true', '"chain_intact":false');
    return { ...answer, body: Buffer.from(text) };
  });
  expect(levels(await tryCommit(portsTo(server, agent.key, broken)))[1]).toMatch(/^fail does not verify/);
  expect(levels(await tryCommit(portsTo(server, undefined)))).toEqual([
    expect.stringMatching(/^fail No API key/),
  ]);
});

test("what is interrupted says so, and nothing of the server", async () => {
  await using server = await testServer();
  const agent = await server.account("ana");
  const stopping = new AbortController();
  const given: Wire = {
    request() {
      stopping.abort();
      return Promise.reject(netError("ABORTED"));
    },
    close: async () => undefined,
  };
  const ports = { ...portsTo(server, agent.key, given), signal: stopping.signal };
  await expect(checkServer(ports)).rejects.toMatchObject({ code: "STOPPED" });
  await expect(tryCommit(ports)).rejects.toMatchObject({ code: "STOPPED_WRITING" });
});
