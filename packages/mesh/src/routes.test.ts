import type { Json, JsonObject } from "@darkmatter/core";
import type { Route } from "@darkmatter/surface";
import { callHandler, type HandlerAnswer } from "@darkmatter/surface/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { strangersShard } from "./testing/shard-author.ts";
import { memoryNetwork, type Stranger, stranger, type TestNode } from "./testing.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 10_000 };

/** A node with one connected agent, one message in its inbox, one sent. */
async function livelyNode() {
  const net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS, webRtc: true });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  await bo.post(ana, "message", bo.message());
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const sentId = String(sent.message_id);
  await net.settle();
  return { net, ana, bo, sentId };
}

type Lively = Awaited<ReturnType<typeof livelyNode>>;

/** A body each route would take, with every field it reads. */
function validBody({ ana, bo, sentId, net }: Lively, path: string): JsonObject {
  const timestamp = new Date(net.clock.now()).toISOString();
  const offer = {
    from_agent_id: bo.id,
    agent_id: bo.id,
    sdp_offer: "v=0",
    sdp: "v=0",
    type: "offer",
    sdp_signature_hex: "00".repeat(64),
    public_key_hex: bo.id,
  };
  const wallet = { wallets: { solana: "w" }, features: ["digest/1"] };
  const bodies: Record<string, JsonObject> = {
    connection_request: bo.request({
      ...wallet,
      wallets: {},
      from_agent_wallet_address: "w",
      mutual: true,
    }),
    connection_proof: {
      challenge_id: "ch-0000000000000000",
      proof_hex: "00".repeat(64),
      agent_id: bo.id,
      public_key_hex: bo.id,
    },
    connection_accepted: {
      agent_id: bo.id,
      agent_url: bo.url,
      agent_bio: "b",
      agent_public_key_hex: bo.id,
      agent_display_name: "n",
      wallet_address: "w",
      created_at: timestamp,
      ...wallet,
    },
    peer_update: {
      agent_id: bo.id,
      new_url: bo.url,
      timestamp,
      public_key_hex: bo.id,
      signature: bo.signer.sign(`peer_update\n${bo.id}\n${bo.url}\n${timestamp}`),
      addresses: { http: bo.url },
      bio: "b",
      display_name: "n",
    },
    accept_pending: { request_id: "req-00000000" },
    message: { ...bo.message(), to_agent_id: ana.id, dm_sig: null },
    ":message_id": bo.reply(sentId, "!", { note: "n", target_agent_id: bo.id }),
    expire_message: { message_id: "msg-unknown" },
    webrtc_offer: offer,
    antimatter_match: { phase: "commit", signal_id: "am-1", n: 5, orchestrator_commitment: "0".repeat(64) },
    antimatter_signal: {
      signal_id: "am-1",
      original_tx: "tx",
      sender_agent_id: bo.id,
      amount: 0.01,
      token: "SOL",
      callback_url: `${bo.url}/__darkmatter__/antimatter_result`,
      hops: 1,
      created_at: timestamp,
      path: [bo.id],
    },
    antimatter_result: { signal_id: "am-1", resolution: "match", destination_wallet: "", resolved_by: bo.id },
    shard_push: strangersShard(net.clock, bo),
    pool_buy: { pool_id: "pool-x", consumer_agent_id: bo.id, amount: 1, payment_token: "SOL", timestamp },
    pool_proxy: {
      pool_id: "pool-x",
      access_token: "at-x",
      path: "/v1",
      method: "GET",
      headers: {},
      body: "",
    },
    pools: { name: "n", tags: ["pool"], description: "d", policy: "open", max_balance: 1 },
    policy: { policy: "paid" },
    providers: { base_url: bo.url, allowed_paths: ["/v1"], price_per_call: 1, handler_config: {} },
    ":provider_id": { enabled: true },
    tokens: { consumer_agent_id: bo.id, amount: 1, payment_token: "SOL" },
    sdp_relay: { target_agent_id: ana.id, from_agent_id: bo.id, offer_data: offer },
    sdp_relay_deliver: { from_agent_id: bo.id, offer_data: offer, relay_agent_id: bo.id },
    set_impression: { agent_id: bo.id, score: 0.5, note: "n" },
    config: { status: "active", rate_limit: 0, superagent_url: null, display_name: "ana" },
    update_bio: { bio: "b" },
    update_display_name: { display_name: "ana" },
  };
  const name = path.split("/").at(-1) ?? "";
  const body = bodies[name] ?? bodies[name.replace(/^gas_/, "antimatter_")];
  if (!body) throw new Error(`say what a valid body for ${path} is`);
  return body;
}

const filled = (route: Route, { bo, sentId }: Lively) =>
  route.path.replace(":message_id", sentId).replace(":agent_id", bo.id);

const posts = ({ ana }: Lively) =>
  ana.mesh.routes.filter(({ method, body }) => method === "POST" && body === "json");

function call(node: TestNode, route: Route, path: string, body: string | Uint8Array | object) {
  return callHandler(node.handler, { method: route.method, path, body });
}

/** Refused or taken, but never an accident. */
function expectSane({ status }: HandlerAnswer, what: string): void {
  expect(status === 200 || status === 503 || (status >= 400 && status < 500), `${what}: ${status}`).toBe(
    true,
  );
}

async function expectWell({ net, ana, bo }: Lively): Promise<void> {
  expect((await bo.post(ana, "message", bo.message())).status).toBe(200);
  await net.settle();
  expect(ana.reports.filter((report) => report.startsWith("500"))).toEqual([]);
}

/** What strangers can write into; refused requests leave it as it was. */
async function rowsOf({ ana }: Lively): Promise<string> {
  const tables = [
    "connections",
    "requests",
    "inbox",
    "sent",
    "updates",
    "responses",
    "impressions",
    "shards",
    "settings",
  ];
  const counts = tables.map((table) => ana.db.all(`SELECT * FROM mesh_${table}`));
  return JSON.stringify(await Promise.all(counts));
}

/** How much is stored, at the cost of one look. */
async function countOf({ ana }: Lively): Promise<unknown> {
  const tables = [
    "connections",
    "requests",
    "inbox",
    "sent",
    "updates",
    "responses",
    "impressions",
    "shards",
    "settings",
  ];
  const counts = tables.map((table) => `(SELECT count(*) FROM mesh_${table}) AS ${table}`);
  return ana.db.get(`SELECT ${counts.join(", ")}, (SELECT count(*) FROM journal) AS journal`);
}

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test("the table names every route once, with a summary and a guard against an unready node", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const names = ana.mesh.routes.map(({ method, path }) => `${method} ${path}`);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(23);
  await ana.mesh.stop();
  for (const route of ana.mesh.routes) {
    expect(route.summary).toMatch(/\.$/);
    if (route.path.endsWith("admin_update")) continue;
    const path = route.path.replace(/(?<=\/):\w+/, "x");
    expect((await call(ana, route, path, {})).status, route.path).toBe(503);
  }
});

test("a body that is no JSON object is answered 400 by every route that reads one, or 413 when too large", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  const before = await rowsOf(lively);
  const bad: Array<[string, string | Uint8Array, number]> = [
    ["empty", "", 400],
    ["not JSON", "{", 400],
    ["text", '"text"', 400],
    ["a number", "1e999", 400],
    ["null", "null", 400],
    ["a list", "[]", 400],
    ["too deep", `{"a":${deep(1000)}}`, 400],
    ["very deep", deep(100_000), 400],
    ["invalid UTF-8", Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400],
    ["two objects", "{}{}", 400],
    ["a byte order mark", "\ufeff{}", 400],
    ["too large", `{"a":"${"x".repeat(1024 * 1024)}"}`, 413],
  ];
  for (const route of posts(lively)) {
    for (const [title, body, status] of bad) {
      const answer = await call(lively.ana, route, filled(route, lively), body);
      expect(answer.status, `${route.path}, ${title}`).toBe(status);
      expect(answer.json, route.path).toMatchObject({ error: expect.any(String) });
    }
  }
  expect(await rowsOf(lively)).toBe(before);
  await expectWell(lively);
});

/** Signs whatever it is given as a sender would, so that the checks behind the signature are reached too. */
function signed(bo: Stranger, body: JsonObject): JsonObject {
  try {
    const { signature_hex: _, ...unsigned } = body;
    return bo.message(unsigned);
  } catch {
    // No form for these values: sent as they are.
    return body;
  }
}

const VALUES: readonly Json[] = [
  null,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  true,
  false,
  [],
  [1, "a", null, {}],
  Array.from({ length: 5000 }, () => "x"),
  {},
  { a: 1, toString: 1, constructor: {} },
  "",
  " ",
  "x",
  "x".repeat(70_000),
  "😀".repeat(2000),
  "a\nb",
  "\u0000",
  "\ud800",
  "../../etc/passwd",
  "%00%ff",
  "constructor",
  "http://169.254.169.254/latest/meta-data",
  "http://[::ffff:169.254.169.254]/__darkmatter__/webhook/x",
];

test("a field of a wrong kind never breaks a route, and what is refused stores nothing", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  for (const route of posts(lively)) {
    const body = validBody(lively, route.path);
    for (const field of Object.keys(body)) {
      for (const value of VALUES) {
        const what = `${route.path} ${field}=${JSON.stringify(value).slice(0, 60)}`;
        const before = await countOf(lively);
        const changed = { ...body, [field]: value };
        const sent = route.path.endsWith("/message") ? signed(lively.bo, changed) : changed;
        const answer = await call(lively.ana, route, filled(route, lively), sent);
        expectSane(answer, what);
        if (answer.status !== 200) expect(await countOf(lively), what).toEqual(before);
      }
    }
  }
  await expectWell(lively);
});

test("duplicate keys, huge numbers, prototype keys and unknown fields never break a route", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  for (const route of posts(lively)) {
    const body = validBody(lively, route.path);
    const text = JSON.stringify(body).slice(1);
    const [first = "x"] = Object.keys(body);
    const texts = [
      `{"${first}":1,${text}`,
      `{${text.slice(0, -1)},"${first}":[]}`,
      `{"__proto__":{"status":"inactive"},${text}`,
      `{"__proto__":null,"constructor":1,"hasOwnProperty":1,${text}`,
      `{"unknown":1e999999,"more":-1e999999,"n":${"9".repeat(5000)},${text}`,
      `{"metadata":{"__proto__":{"type":"broadcast"}},"wallets":{"__proto__":"w"},${text}`,
    ];
    for (const one of texts)
      expectSane(await call(lively.ana, route, filled(route, lively), one), route.path);
  }
  expect(({} as JsonObject).status).toBeUndefined();
  await expectWell(lively);
});

test("strange paths and queries never break a route", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  const odd = [
    "%00",
    "%ff",
    "%zz",
    "%",
    "..",
    "%2e%2e%2f",
    "x".repeat(9000),
    "😀",
    "%F0%9F%98%80",
    "a%0ab",
    "__proto__",
  ];
  for (const route of lively.ana.mesh.routes) {
    for (const part of odd) {
      const path = route.path.includes("/:") ? route.path.replace(/:\w+/, part) : `${route.path}?id=${part}`;
      const body = route.body === "json" ? { type: "received", agent_id: "x" } : "";
      expectSane(await call(lively.ana, route, path, body), `${route.path} ${part.slice(0, 20)}`);
    }
  }
  await expectWell(lively);
});

const PRIVATE_ROUTES = [
  "accept_pending",
  "config",
  "connections",
  "expire_message",
  "inbox",
  "pending_requests",
  "policy",
  "providers",
  "sent_messages",
  "set_impression",
  "update_bio",
  "update_display_name",
];

test("routes of this machine refuse another machine, a proxy, a foreign Host and a foreign Origin", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  const before = await rowsOf(lively);
  const foreign: Array<{ remote?: string; headers?: Record<string, string> }> = [
    { remote: "192.168.7.9" },
    { remote: "8.8.8.8", headers: { host: "127.0.0.1:8100" } },
    { headers: { host: "rebound.example:8100" } },
    { headers: { host: "127.0.0.1.example" } },
    { headers: { host: "" } },
    { headers: { origin: "https://evil.example" } },
    { headers: { origin: "null" } },
    { headers: { origin: "http://localhost.evil.example" } },
    { headers: { "x-forwarded-for": "127.0.0.1" } },
    { headers: { forwarded: "for=127.0.0.1" } },
    { headers: { via: "1.1 proxy" } },
    { headers: { "x-real-ip": "127.0.0.1" } },
  ];
  const guarded: string[] = [];
  for (const route of lively.ana.mesh.routes) {
    const { method } = route;
    const path = filled(route, lively);
    const body = route.body === "json" ? validBody(lively, route.path) : "";
    const own = await callHandler(lively.ana.handler, { method, path: `${path}?probe`, body: "" });
    const name = route.path.split("/").at(-1) ?? "";
    if (own.status === 403 || !PRIVATE_ROUTES.includes(name)) continue;
    guarded.push(name);
    for (const caller of foreign) {
      const answer = await callHandler(lively.ana.handler, { method, path, body, ...caller });
      expect(answer.status, `${route.path} ${JSON.stringify(caller)}`).toBe(403);
    }
  }
  expect(guarded.sort()).toEqual(PRIVATE_ROUTES);
  expect(await rowsOf(lively)).toBe(before);
});

test("every route but the known public ones is of this machine alone", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  const open: string[] = [];
  for (const { method, path } of lively.ana.mesh.routes) {
    const call = { method, path: path.replace(/(?<=\/):\w+/, "x"), body: "", remote: "8.8.8.8" };
    if ((await callHandler(lively.ana.handler, call)).status !== 403) open.push(`${method} ${path}`);
  }
  expect(open.sort()).toEqual([
    "GET /.well-known/agent-card.json",
    "GET /.well-known/darkmatter.json",
    "GET /__darkmatter__/impression/:agent_id",
    "GET /__darkmatter__/network_info",
    "GET /__darkmatter__/peer_lookup/:agent_id",
    "GET /__darkmatter__/pool_info/:pool_id",
    "GET /__darkmatter__/status",
    "GET /__darkmatter__/webhook/:message_id",
    // These ask for a token.
    "GET /a2a/tasks",
    "GET /a2a/tasks/:task",
    "GET /mcp/__darkmatter__/impression/:agent_id",
    "POST /__darkmatter__/antimatter_match",
    "POST /__darkmatter__/antimatter_result",
    "POST /__darkmatter__/antimatter_signal",
    "POST /__darkmatter__/connection_accepted",
    "POST /__darkmatter__/connection_proof",
    "POST /__darkmatter__/connection_request",
    "POST /__darkmatter__/gas_match",
    "POST /__darkmatter__/gas_result",
    "POST /__darkmatter__/gas_signal",
    "POST /__darkmatter__/message",
    "POST /__darkmatter__/peer_update",
    "POST /__darkmatter__/pool_buy",
    "POST /__darkmatter__/pool_proxy",
    "POST /__darkmatter__/sdp_relay",
    "POST /__darkmatter__/sdp_relay_deliver",
    "POST /__darkmatter__/shard_push",
    "POST /__darkmatter__/webhook/:message_id",
    "POST /__darkmatter__/webrtc_offer",
    "POST /a2a",
    "POST /a2a/message:send",
    "POST /a2a/message:stream",
    "POST /a2a/tasks/:task",
  ]);
});

test("no JSON object sent as a message is ever answered 500", async () => {
  const lively = await livelyNode();
  await using _ = lively.net;
  const { ana, bo } = lively;
  const field = fc.constantFrom(
    "message_id",
    "content",
    "webhook",
    "from_agent_id",
    "timestamp",
    "metadata",
    "hops_remaining",
    "dm_sig",
    "to_agent_id",
    "from_public_key_hex",
  );
  const fields = fc.dictionary(fc.oneof(field, fc.string({ unit: "binary" })), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(fields, fc.boolean(), async (body, isSigned) => {
      const message = isSigned ? signed(bo, body as JsonObject) : (body as JsonObject);
      expectSane(await bo.post(ana, "message", message), JSON.stringify(message).slice(0, 200));
    }),
    { numRuns: 300 },
  );
  await expectWell(lively);
});
