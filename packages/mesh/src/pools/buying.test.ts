import { isoTime, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { createSigner, poolBuyText, type Signer, signText } from "@darkmatter/identity";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";
import { amountText, parseAmount } from "./amount.ts";
import { createBuying } from "./buying.ts";
import { TOKENS_OF_CONSUMER_MAX } from "./pool.ts";
import { readTokens, updateToken } from "./pools.store.ts";

const OWNER = { session: "owner" };

/** A node with a pool, where whoever is in `credit` has paid so much, as decimal text. */
async function shop(policy: JsonObject = {}) {
  const net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("bo", "ana");
  const pool = await ana.tool("owner_pool_create", { name: "LLM", tags: ["pool:llm"], ...policy }, OWNER);
  const poolId = String(pool.pool_id);
  const credit = new Map<string, bigint>();
  /** As an agent of the first generation, which cannot sign. */
  const kind = { features: [] as string[] };
  const buying = createBuying(
    portsOf(ana, net.clock),
    { get: async (_tx, id) => (id === bo.id ? ({ features: kind.features } as never) : undefined) },
    {
      async spend(_tx, { peer, token, amount }) {
        const left = (credit.get(`${peer} ${token}`) ?? 0n) - (parseAmount(amount) ?? 0n);
        if (left >= 0n) credit.set(`${peer} ${token}`, left);
        return left >= 0n;
      },
    },
  );
  const buy = async (body: JsonObject) => {
    const answer = await buying.buy(body);
    return { status: answer.status, body: JSON.parse(String(answer.body)) as JsonObject };
  };
  const signed = (
    amount: number,
    by: Signer = bo.signer,
    more: JsonObject = {},
    paymentToken = "SOL",
  ): JsonObject => {
    const timestamp = isoTime(net.clock.now());
    const purchase = {
      poolId,
      consumer: bo.id,
      amount: amountText(parseAmount(amount) ?? 0n),
      paymentToken,
    };
    return {
      pool_id: poolId,
      consumer_agent_id: bo.id,
      amount,
      payment_token: paymentToken,
      timestamp,
      from_public_key_hex: by.agentId,
      signature_hex: signText(by, poolBuyText({ ...purchase, timestamp })),
      ...more,
    };
  };
  const plain = (amount: number): JsonObject => ({ pool_id: poolId, consumer_agent_id: bo.id, amount });
  return {
    net,
    ana,
    bo,
    poolId,
    credit,
    kind,
    buy,
    signed,
    plain,
    [Symbol.asyncDispose]: () => net[Symbol.asyncDispose](),
  };
}

function portsOf(node: TestNode, clock: { now(): number }) {
  const verifier = { verify: async (key: string, text: string, sig: string) => verify(key, text, sig) };
  return {
    db: node.db,
    clock,
    random: { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)) },
    verifier,
  } as never;
}

async function verify(key: string, text: string, signature: string): Promise<boolean> {
  const { createVerifier } = await import("@darkmatter/identity");
  return createVerifier({ threads: "never" }).verify(key, text, signature);
}

test("what was paid is turned into balance once, for the consumer that signs", async () => {
  await using world = await shop();
  world.credit.set(`${world.bo.id} SOL`, parseAmount(0.5) ?? 0n);
  const first = await world.buy(world.signed(0.3));
  expect(first).toMatchObject({ status: 200, body: { success: true, balance: 0.3, payment_token: "SOL" } });
  expect(first.body.token_id).toMatch(/^at-[0-9a-f]{32}$/);
  await world.net.clock.advance(1000);
  expect((await world.buy(world.signed(0.3))).status).toBe(402);
  expect((await world.buy(world.signed(0.2))).status).toBe(200);
});

test("nothing is given that was not paid for", async () => {
  await using world = await shop();
  expect(await world.buy(world.signed(0.3))).toMatchObject({ status: 402, body: { success: false } });
  expect((await world.buy(world.plain(0.3))).status).toBe(403);
  const { tokens } = await world.ana.tool("owner_pool_tokens", { pool_id: world.poolId }, OWNER);
  expect(tokens).toEqual([]);
});

test("what another paid is given to nobody that only names it", async () => {
  await using world = await shop();
  world.credit.set(`${world.bo.id} SOL`, parseAmount(10) ?? 0n);
  const thief = createSigner(new Uint8Array(32).fill(9));
  const good = world.signed(1);
  const tries = [
    world.plain(1),
    world.signed(1, thief),
    world.signed(1, thief, { from_public_key_hex: world.bo.id }),
    { ...good, amount: 2 },
    { ...good, payment_token: "USDC" },
    { ...good, pool_id: "other" },
    { ...good, timestamp: isoTime(world.net.clock.now() - 10 * MINUTE_MS) },
    { ...good, signature_hex: "00".repeat(64) },
    { ...good, signature_hex: 7 },
  ] as JsonObject[];
  for (const body of tries) expect([403, 404]).toContain((await world.buy(body)).status);
  expect(world.credit.get(`${world.bo.id} SOL`)).toBe(parseAmount(10));
});

test("a purchase that is replayed, or too old, buys nothing", async () => {
  await using world = await shop();
  world.credit.set(`${world.bo.id} SOL`, parseAmount(10) ?? 0n);
  const body = world.signed(1);
  expect((await world.buy(body)).status).toBe(200);
  expect((await world.buy(body)).status).toBe(403);
  expect((await world.buy({ ...body, signature_hex: String(body.signature_hex).toUpperCase() })).status).toBe(
    403,
  );
  await world.net.clock.advance(20 * MINUTE_MS);
  expect((await world.buy(body)).status).toBe(403);
  expect(world.credit.get(`${world.bo.id} SOL`)).toBe(parseAmount(9));
});

test("what was paid in a token by its mint pays what is priced by its name", async () => {
  await using world = await shop();
  const usdc = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
  world.credit.set(`${world.bo.id} ${usdc}`, parseAmount(5) ?? 0n);
  expect((await world.buy(world.signed(1, world.bo.signer, {}, "usdc"))).status).toBe(200);
  expect((await world.buy(world.signed(1, world.bo.signer, {}, "SOL"))).status).toBe(402);
  expect(world.credit.get(`${world.bo.id} ${usdc}`)).toBe(parseAmount(4));
});

test("an open pool gives each agent no more than its owner says, spent or not", async () => {
  await using world = await shop({ policy: "open", max_balance: 1 });
  expect((await world.buy(world.plain(0.6))).status).toBe(200);
  expect((await world.buy(world.plain(0.6))).status).toBe(403);
  expect((await world.buy(world.plain(0.4))).status).toBe(200);
  expect((await world.buy(world.plain(0.000000001))).status).toBe(403);
});

test("what an open pool gives an agent that can sign is given to nobody that only names it", async () => {
  await using world = await shop({ policy: "open", max_balance: 1 });
  world.kind.features = ["digest/1"];
  expect((await world.buy(world.plain(0.6))).status).toBe(403);
  expect((await world.buy(world.signed(1))).status).toBe(200);
});

test("a token that is used up takes no place from the next", async () => {
  await using world = await shop({ policy: "open", max_balance: 1 });
  const buy = async () => (await world.buy(world.plain(0.01))).status;
  for (let at = 0; at < TOKENS_OF_CONSUMER_MAX; at++) expect(await buy()).toBe(200);
  expect(await buy()).toBe(429);
  await world.ana.db.write(async (tx) => {
    const [token] = await readTokens(tx, world.poolId);
    if (token) await updateToken(tx, { ...token, balance: 0n, spent: token.deposited });
  });
  expect(await buy()).toBe(200);
  expect(await buy()).toBe(429);
});

test("one agent takes only so many places among a pool's tokens", async () => {
  await using world = await shop({ policy: "open", max_balance: 1 });
  for (let at = 0; at < TOKENS_OF_CONSUMER_MAX; at++)
    expect((await world.buy(world.plain(0.01))).status).toBe(200);
  expect((await world.buy(world.plain(0.01))).status).toBe(429);
});

test("a purchase of any shape is answered", async () => {
  await using world = await shop();
  const base = world.plain(1);
  for (const amount of [0, -1, "x", null, [], {}, 1e300]) {
    expect((await world.buy({ ...base, amount })).status).toBe(400);
  }
  expect((await world.buy({ ...base, consumer_agent_id: "b0".repeat(32) })).status).toBe(403);
  expect((await world.buy({ ...base, pool_id: "pool-none" })).status).toBe(404);
  expect((await world.buy({ ...base, payment_token: "a b\n" })).status).toBe(400);
});

test("an agent buys of a connected one and calls by its own tools; the token is kept", async () => {
  await using world = await shop({ policy: "open", max_balance: 1 });
  const { ana, bo, net, poolId } = world;
  net.hosts.ana.listen(9001, async ({ path }) => ({ status: 200, headers: {}, body: `you asked ${path}` }));
  const provider = {
    pool_id: poolId,
    base_url: "http://127.0.0.1:9001",
    allowed_paths: ["/v1"],
    price_per_call: 0.25,
  };
  await ana.tool("owner_pool_add_provider", provider, OWNER);
  const theirs = { agent_id: ana.id, pool_id: poolId };
  expect(await bo.tool("owner_pool_info", theirs, OWNER)).toMatchObject({ pool: { endpoints: ["/v1"] } });
  expect(await bo.tool("owner_pool_buy", { ...theirs, amount: 0.5 }, OWNER)).toMatchObject({
    bought: { balance: 0.5 },
  });
  const called = await bo.tool("owner_pool_call", { ...theirs, path: "/v1/x" }, OWNER);
  expect(called).toMatchObject({ success: true, answer: { status_code: 200, balance_remaining: 0.25 } });
  const { body_b64: body } = called.answer as { body_b64: string };
  expect(Buffer.from(body, "base64").toString()).toBe("you asked /v1/x");
  expect(await bo.tool("owner_pool_call", { ...theirs, path: "/v2" }, OWNER)).toMatchObject({
    success: false,
  });
});

test("a pool is found by its shard, which changes with it and goes with it", async () => {
  await using world = await shop();
  const { ana, poolId } = world;
  const shards = async () =>
    (JSON.parse(await ana.mesh.stateFiles.write(ana.db)) as { shared_shards: JsonObject[] }).shared_shards;
  expect(await shards()).toEqual([]);
  const provider = {
    pool_id: poolId,
    base_url: "http://127.0.0.1:9001",
    allowed_paths: ["/v1"],
    price_per_call: 0.25,
  };
  await ana.tool("owner_pool_add_provider", provider, OWNER);
  const [shard] = await shards();
  expect(shard?.content).toContain("Price range: 0.25-0.25 SOL/call");
  expect(await ana.tool("owner_pool_show", { pool_id: poolId }, OWNER)).toMatchObject({
    shard_id: shard?.shard_id,
  });
  await ana.tool("owner_pool_add_provider", { ...provider, price_per_call: 2 }, OWNER);
  expect(await shards()).toMatchObject([
    { shard_id: shard?.shard_id, tags: ["pool:llm"], content: expect.stringContaining("0.25-2 SOL/call") },
  ]);
  await ana.tool("owner_pool_remove", { pool_id: poolId }, OWNER);
  expect(await shards()).toEqual([]);
});

test("pools are managed by this machine alone, and no module is named from outside", async () => {
  await using world = await shop();
  const { ana } = world;
  const path = "/__darkmatter__/pools";
  const create = { name: "x", tags: ["pool"] };
  const post = (body: JsonObject, more = {}) =>
    callHandler(ana.handler, { method: "POST", path, body, ...more });
  expect((await post(create, { remote: "203.0.113.7" })).status).toBe(403);
  expect((await post(create, { headers: { origin: "https://evil.example" } })).status).toBe(403);
  expect((await post({ ...create, handler_module: "/etc/x.js" })).status).toBe(400);
  const made = await post(create);
  expect(made).toMatchObject({ status: 200, json: { success: true, policy: "paid" } });
  const id = (made.json as JsonObject).pool_id;
  const ended = await callHandler(ana.handler, { method: "DELETE", path: `${path}/${id}` });
  expect(ended.status).toBe(200);
});

test("no agent reaches the tools of the owner", async () => {
  await using world = await shop();
  await expect(world.ana.tool("owner_pool_list")).rejects.toThrow();
  expect(world.ana.tools.names().filter((name) => name.includes("pool"))).toEqual([]);
});

test.each([
  { base_url: "http://127.0.0.1:1/?x" },
  { base_url: "http://user:pw@x/" },
  { base_url: "file:///etc/passwd" },
  { credential_header: "Host" },
  { credential_header: "a b" },
  { credential_value: "a\r\nb: c" },
  { allowed_paths: [] },
  { allowed_paths: ["/v1/../x"] },
  { allowed_paths: ["v1"] },
  { price_per_call: -1 },
  { price_token: "a b" },
])("a provider such as %j is not added", async (wrong) => {
  await using world = await shop();
  const provider = {
    pool_id: world.poolId,
    base_url: "http://127.0.0.1:9001",
    allowed_paths: ["/v1"],
    ...wrong,
  };
  await expect(
    world.ana.tool("owner_pool_add_provider", provider as unknown as JsonObject, OWNER),
  ).resolves.not.toMatchObject({
    success: true,
  });
});
