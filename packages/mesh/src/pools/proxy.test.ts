import type { JsonObject } from "@darkmatter/core";
import type { Handler, HandlerResponse, InboundRequest } from "@darkmatter/net";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";

const OWNER = { session: "owner" };
const SECRET = "Bearer owner-secret";

const owner = async (node: TestNode, name: string, input: JsonObject = {}) => {
  const result = await node.tool(`owner_pool_${name}`, input, OWNER);
  if (result.success !== true) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result;
};

const ok = (body: unknown = { ok: true }): HandlerResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** A node `ana` with a pool, its connected consumer `bo`, and APIs that answer as they are told. */
async function poolWorld(
  apis: Record<number, Handler>,
  options: { handler?: string; config?: JsonObject } = {},
) {
  const net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("bo", "ana");
  const heard: InboundRequest[] = [];
  for (const [port, api] of Object.entries(apis)) {
    net.hosts.ana.listen(Number(port), (request) => {
      heard.push(request);
      return api(request);
    });
  }
  const handlerType = options.handler ?? "passthrough";
  const pool = await owner(ana, "create", { name: "LLM", tags: ["pool:llm"], handler_type: handlerType });
  const poolId = String(pool.pool_id);
  for (const [at, port] of Object.keys(apis).entries()) {
    await owner(ana, "add_provider", {
      pool_id: poolId,
      base_url: `http://127.0.0.1:${port}/base/`,
      credential_value: SECRET,
      allowed_paths: ["/v1"],
      price_per_call: 0.01 * (at + 1),
      handler_config: options.config ?? {},
    });
  }
  const give = async (amount: number, mint = "SOL") =>
    String(
      (await owner(ana, "grant", { pool_id: poolId, consumer_agent_id: bo.id, amount, payment_token: mint }))
        .token_id,
    );
  const post = (path: string, body: JsonObject, signal?: AbortSignal) =>
    callHandler(ana.handler, {
      method: "POST",
      path: `/__darkmatter__/${path}`,
      body,
      ...(signal && { signal }),
    });
  return {
    net,
    ana,
    bo,
    heard,
    poolId,
    give,
    post,
    call: (token: string, more: JsonObject = {}, signal?: AbortSignal) =>
      post("pool_proxy", { pool_id: poolId, access_token: token, path: "/v1/x", ...more }, signal),
    balance: async (token: string) => {
      const { tokens } = await owner(ana, "tokens", { pool_id: poolId });
      return (tokens as JsonObject[]).find(({ token_id: id }) => id === token)?.balance;
    },
    providers: async () => (await owner(ana, "show", { pool_id: poolId })).providers as JsonObject[],
    spent: () => ana.journal.events.filter(({ act }) => act === "pool.spent"),
    [Symbol.asyncDispose]: () => net[Symbol.asyncDispose](),
  };
}

test("a call reaches the provider with the owner's credential and exactly the checked path, and is paid", async () => {
  await using world = await poolWorld({ 9001: async () => ok() });
  const token = await world.give(0.05);
  const headers = {
    Authorization: "Bearer mine",
    AUTHORIZATION: "x",
    Host: "evil",
    "X-Mine": "1",
    Connection: "x-mine",
  };
  const answer = await world.call(token, { method: "post", path: "/v1/%63hat?n=1", headers, body: "hello" });
  expect(answer.json).toMatchObject({ success: true, status_code: 200, balance_remaining: 0.04 });
  const [request] = world.heard;
  expect(request).toMatchObject({ method: "POST", path: "/base/v1/chat", query: "n=1" });
  expect(request?.headers).toMatchObject({ authorization: SECRET, host: "127.0.0.1:9001" });
  expect(request?.headers).not.toHaveProperty("x-mine");
  expect(Buffer.from(request?.body ?? []).toString()).toBe("hello");
  expect(world.spent()).toMatchObject([
    { trace: world.bo.id, peer: world.bo.id, fields: { pool: world.poolId, cost: "0.01" } },
  ]);
  expect(await world.providers()).toMatchObject([{ calls_served: 1, failures: 0 }]);
});

test.each([
  "/v1/../admin",
  "/v1/%2e%2e/admin",
  "/v1//admin",
  "/v1/..%2fadmin",
  "/v1\\..\\admin",
  "http://x/v1",
  "/v1/\u0000",
])("the path %j reaches no provider", async (path) => {
  await using world = await poolWorld({ 9001: async () => ok() });
  const token = await world.give(1);
  expect((await world.call(token, { path })).status).toBe(400);
  expect(world.heard).toEqual([]);
  expect(await world.balance(token)).toBe(1);
});

test.each(["/v1x", "/admin", "/V1", "/"])("%s is not below what the owner allows", async (path) => {
  await using world = await poolWorld({ 9001: async () => ok() });
  expect(await world.call(await world.give(1), { path })).toMatchObject({
    status: 404,
    json: { success: false, error: "No provider available for this path" },
  });
  expect(world.heard).toEqual([]);
});

test("a hundred calls at once on one balance take no more than it holds", async () => {
  await using world = await poolWorld({
    9001: async () => {
      await world.net.clock.sleep(10);
      return ok();
    },
  });
  const token = await world.give(0.25);
  const calls = Promise.all(Array.from({ length: 100 }, () => world.call(token)));
  await world.net.clock.advance(1000);
  const statuses = (await calls).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(25);
  expect(statuses.filter((status) => status === 402)).toHaveLength(75);
  expect(world.heard).toHaveLength(25);
  expect(await world.balance(token)).toBe(0);
});

test("a provider that fails gives way to the next cheapest, and only who served is paid", async () => {
  await using world = await poolWorld({
    9001: () => new Promise(() => undefined),
    9002: async () => ok({ from: 2 }),
  });
  const token = await world.give(0.05);
  const call = world.call(token);
  await world.net.clock.advance(25_000);
  expect((await call).json).toMatchObject({ success: true, balance_remaining: 0.03 });
  expect(await world.providers()).toMatchObject([
    { calls_served: 0, failures: 1 },
    { calls_served: 1, failures: 0 },
  ]);
});

test("when every provider hangs the call ends within 30 s and costs nothing", async () => {
  const hangs = () => new Promise<never>(() => undefined);
  await using world = await poolWorld({ 9001: hangs, 9002: hangs, 9003: hangs });
  const token = await world.give(1);
  const call = world.call(token);
  await world.net.clock.advance(30_001);
  expect(await call).toMatchObject({ status: 502, json: { success: false } });
  expect(await world.balance(token)).toBe(1);
  expect(world.spent()).toEqual([]);
});

test("an answer that is too large is none: it is not paid for", async () => {
  async function* endless() {
    for (;;) yield new Uint8Array(1024 * 1024);
  }
  await using world = await poolWorld({ 9001: async () => ({ status: 200, headers: {}, body: endless() }) });
  const token = await world.give(1);
  expect((await world.call(token)).status).toBe(502);
  expect(await world.balance(token)).toBe(1);
});

test("an answer that repeats the credential goes no further, cookies and its headers neither", async () => {
  const echo =
    (body: string, headers = {}): Handler =>
    async () => ({ status: 200, headers, body });
  await using world = await poolWorld({ 9001: echo(`{"headers": "${SECRET}"}`) });
  const token = await world.give(1);
  const answer = await world.call(token);
  expect(answer.status).toBe(502);
  expect(answer.text).not.toContain("owner-secret");

  await using bare = await poolWorld({ 9001: echo(`{"error": "Incorrect API key: owner-secret"}`) });
  expect((await bare.call(await bare.give(1))).status).toBe(502);

  await using other = await poolWorld({
    9001: echo("ok", { "set-cookie": "s=1", "x-you-sent": SECRET, "x-key": "owner-secret", "x-kept": "1" }),
  });
  const kept = (await other.call(await other.give(1))).json as JsonObject;
  expect(kept.headers).toEqual({ "x-kept": "1" });
});

test("a provider that was removed while another was tried is not called without its credential", async () => {
  await using world = await poolWorld({
    9001: () => new Promise(() => undefined),
    9002: async () => ({ status: 200, headers: {}, body: "removed" }),
  });
  const [, other] = await world.providers();
  const called = world.call(await world.give(1));
  await world.net.clock.settle();
  const which = { pool_id: world.poolId, provider_id: String(other?.provider_id) };
  await owner(world.ana, "remove_provider", which);
  await world.net.clock.advance(30_001);
  expect((await called).status).toBe(502);
  expect(world.heard.map(({ headers }) => headers.host)).toEqual(["127.0.0.1:9001"]);
});

test.each(["true", 1])(
  "a request that only some servers would stream is refused (stream: %j)",
  async (stream) => {
    await using world = await poolWorld({ 9001: async () => ok({}) }, { handler: "openai" });
    const body = JSON.stringify({ model: "m", stream });
    expect((await world.call(await world.give(1), { method: "POST", body })).status).toBe(400);
    expect(world.heard).toEqual([]);
  },
);

test("only so many calls are under way at once, and one consumer leaves places to others", async () => {
  await using world = await poolWorld({ 9001: () => new Promise(() => undefined) });
  const token = await world.give(10);
  const other = await owner(world.ana, "grant", {
    ...{ pool_id: world.poolId, consumer_agent_id: "cd".repeat(32) },
    amount: 10,
  });
  const calls: Promise<unknown>[] = [];
  const begun = async (by: string, count: number) => {
    const statuses: number[] = [];
    const one = async () => void statuses.push((await world.call(by)).status);
    calls.push(...Array.from({ length: count }, one));
    await world.net.clock.settle();
    return statuses;
  };
  expect(await begun(token, 113)).toEqual([429]);
  expect(await begun(String(other.token_id), 18)).toEqual([429, 429]);
  expect(world.heard).toHaveLength(128);
  await world.net.clock.advance(30_001);
  await Promise.all(calls);
  expect((await world.call("at-none")).status).toBe(403);
  expect(await begun(token, 113)).toEqual([429]);
  await world.net.clock.advance(30_001);
});

test("redirects are answered, not followed", async () => {
  const away = { location: "http://127.0.0.1:9002/v1" };
  await using world = await poolWorld({ 9001: async () => ({ status: 302, headers: away, body: "" }) });
  expect((await world.call(await world.give(1))).json).toMatchObject({ status_code: 302 });
  expect(world.heard).toHaveLength(1);
});

test("a revoked token, an unknown one and one of another pool call nothing", async () => {
  await using world = await poolWorld({ 9001: async () => ok() });
  const token = await world.give(1);
  await owner(world.ana, "revoke", { pool_id: world.poolId, token_id: token });
  expect((await world.call(token)).json).toEqual({ success: false, error: "Access token revoked" });
  expect((await world.call("at-none")).json).toEqual({ success: false, error: "Invalid access token" });
  const other = await owner(world.ana, "create", { name: "other", tags: ["pool"] });
  expect((await world.call(await world.give(1), { pool_id: other.pool_id ?? "" })).status).toBe(403);
  expect(world.heard).toEqual([]);
});

test("a token pays only providers that are paid in its money", async () => {
  await using world = await poolWorld({ 9001: async () => ok() });
  expect((await world.call(await world.give(1000, "JUNK"))).status).toBe(402);
  expect(world.heard).toEqual([]);
});

test("whoever leaves in the middle of a call pays for it, and the provider is not blamed", async () => {
  await using world = await poolWorld({ 9001: () => new Promise(() => undefined) });
  const token = await world.give(1);
  const leaves = new AbortController();
  const call = world.call(token, {}, leaves.signal);
  await world.net.clock.settle();
  leaves.abort();
  await call;
  expect(await world.balance(token)).toBe(0.99);
  expect(await world.providers()).toMatchObject([{ failures: 0 }]);
});

test("what a call under way has set aside is nobody else's, and a process that ends in between took nothing", async () => {
  await using world = await poolWorld({ 9001: () => new Promise(() => undefined) });
  const token = await world.give(0.01);
  void world.call(token);
  await world.net.clock.settle();
  expect((await world.call(token)).status).toBe(402);
  expect(await world.balance(token)).toBe(0.01);
  await world.net.clock.advance(30_001);
  expect(world.heard).toHaveLength(1);
  void world.call(token);
  await world.net.clock.settle();
  expect(world.heard).toHaveLength(2);
});

test("bodies of any shape are answered, never with 500", async () => {
  await using world = await poolWorld({ 9001: async () => ok() });
  const token = await world.give(1);
  const base = { pool_id: world.poolId, access_token: token, path: "/v1/x" };
  const odd = [
    {},
    { ...base, pool_id: 1 },
    { ...base, access_token: ["x"] },
    { ...base, path: {} },
    { ...base, method: "CONNECT" },
    { ...base, method: 7 },
    { ...base, method: "GET\r\nx: y" },
    { ...base, headers: "x" },
    { ...base, headers: { "a\nb": "c" } },
    { ...base, body: { a: 1 } },
  ] as JsonObject[];
  for (const body of odd) expect((await world.post("pool_proxy", body)).status).toBe(400);
  expect(world.heard).toEqual([]);
});

test("the tokens an API says it used are what is paid, and a request is estimated before", async () => {
  const usage = { prompt_tokens: 100, completion_tokens: 50 };
  const config = { price_per_1k_prompt_tokens: 0.01, price_per_1k_completion_tokens: 0.02 };
  await using world = await poolWorld({ 9001: async () => ok({ usage }) }, { handler: "openai", config });
  const token = await world.give(0.05);
  const body = JSON.stringify({ model: "m", max_tokens: 100 });
  const paid = await world.call(token, { method: "POST", body });
  // 0.01 for the call, 0.001 for what was asked, 0.001 for what was said.
  expect(paid.json).toMatchObject({ balance_remaining: 0.038 });
  const dear = JSON.stringify({ model: "m", max_tokens: 1_000_000 });
  expect((await world.call(token, { method: "POST", body: dear })).status).toBe(402);
  expect((await world.call(token, { method: "POST", body: "[1]" })).status).toBe(400);
  expect(world.heard).toHaveLength(1);
});

test("an unknown handler is named", async () => {
  await using world = await poolWorld({ 9001: async () => ok() }, { handler: "mine" });
  expect(await world.call(await world.give(1))).toMatchObject({
    status: 500,
    json: { success: false, error: "Unknown handler type: mine" },
  });
});

test("no result, state file or report ever holds a credential", async () => {
  await using world = await poolWorld({ 9001: async () => ok() });
  const { ana } = world;
  const shown = [
    await owner(ana, "list"),
    await owner(ana, "show", { pool_id: world.poolId }),
    (await callHandler(ana.handler, { method: "GET", path: `/__darkmatter__/pool_info/${world.poolId}` }))
      .json,
    (await callHandler(ana.handler, { method: "GET", path: "/__darkmatter__/pools" })).json,
    await ana.mesh.stateFiles.write(ana.db),
    ana.reports,
    ana.journal.events,
  ];
  expect(JSON.stringify(shown)).not.toContain("owner-secret");
});
