import { systemClock, systemRandom } from "@darkmatter/core";
import { afterEach, expect, test } from "vitest";
import { serveHttp } from "../adapters/http-server.ts";
import { localOnly } from "../guards.ts";
import { createHandler } from "../handler.ts";
import { connectMcpHttp, ERAS } from "../testing/mcp-client.ts";
import { sampleTable } from "../testing/sample-table.ts";
import type { Delegate } from "../tool.ts";
import { mcpRoutes } from "./http.ts";

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

const TOKEN = "ab".repeat(32);

/** A node whose only helper has one tool, and may act until told otherwise. */
async function serve() {
  const whole = sampleTable();
  const ending = new AbortController();
  const delegate: Delegate = {
    id: "dg-1",
    mayAct: () => !ending.signal.aborted,
    over: ending.signal,
    table: {
      ...whole,
      tools: whole.tools.filter(({ name }) => name === "echo"),
      resources: [],
      unknown: () => ({ success: false, error: "only echo" }),
    },
  };
  const mcp = mcpRoutes(whole, {
    guards: [localOnly()],
    identity: { name: "test-server", version: "1.0.0" },
    clock: systemClock,
    random: systemRandom,
    onError: () => undefined,
    delegates: (token) => (token === TOKEN ? delegate : undefined),
  });
  const handler = createHandler(mcp.routes, { onError: () => undefined });
  const server = await serveHttp({ handler, host: "127.0.0.1", port: 0, onError: () => undefined });
  running.push(server, mcp);
  return { url: `${server.url}/mcp`, end: () => ending.abort() };
}

const authorized = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

test.each(ERAS)(
  "a client of %s with a helper's token sees the helper's tools, and is told which there are",
  async (era) => {
    const { url } = await serve();
    const client = await connectMcpHttp(era, url, authorized(TOKEN));
    expect(await client.names()).toEqual(["echo"]);
    expect((await client.call("echo", { words: "hi" })).structured).toMatchObject({ success: true });
    expect((await client.call("status", {})).structured).toEqual({ success: false, error: "only echo" });
    await client.close();
  },
);

test.each(ERAS)("a client of %s without a token is served as before", async (era) => {
  const { url } = await serve();
  const client = await connectMcpHttp(era, url);
  expect(await client.names()).toContain("status");
  await client.close();
});

const PING = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
const post = (url: string, headers: Record<string, string>) =>
  fetch(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify(PING),
  });

test.each([
  "Bearer x",
  `Bearer ${TOKEN.slice(1)}`,
  `Bearer  ${TOKEN} ${TOKEN}`,
  "Bearer",
  "Basic YTpi",
  `Bearer ${"a".repeat(600)}`,
])("a wrong token opens nothing, not even what no token would: %s", async (authorization) => {
  const { url } = await serve();
  const answer = await post(url, { authorization });
  expect([answer.status, await answer.json()]).toEqual([401, { error: "Not authorized" }]);
});

test.each(ERAS)(
  "when a helper's time is over its client of %s hears no more, in the session it has too",
  async (era) => {
    const { url, end } = await serve();
    const client = await connectMcpHttp(era, url, authorized(TOKEN));
    expect(await client.names()).toEqual(["echo"]);
    end();
    await expect(client.call("echo", { words: "late" })).rejects.toThrow();
    expect((await post(url, { authorization: `Bearer ${TOKEN}` })).status).toBe(401);
  },
);

test("a session of the whole table cannot be entered with a helper's token, nor the other way", async () => {
  const { url } = await serve();
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  };
  const open = (headers: Record<string, string>, body: object) =>
    fetch(url, {
      method: "POST",
      headers: {
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        ...headers,
      },
      body: JSON.stringify(body),
    });
  const authorization = `Bearer ${TOKEN}`;
  const whole = (await open({}, initialize)).headers.get("mcp-session-id") ?? "";
  const narrow = (await open({ authorization }, initialize)).headers.get("mcp-session-id") ?? "";
  expect([whole, narrow].every((id) => id.length > 0)).toBe(true);
  expect((await open({ authorization, "mcp-session-id": whole }, PING)).status).toBe(404);
  expect((await open({ "mcp-session-id": narrow }, PING)).status).toBe(404);
});
