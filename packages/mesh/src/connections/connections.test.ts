import { HOUR_MS, type JsonObject } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { type MemoryNetwork, memoryNetwork, stranger } from "../testing.ts";

type Pair = MemoryNetwork<"ana" | "bo">;

const PUBLIC = "5.6.7.200";
const LAN = "192.168.7.200";

/** Agents each at a public address of its own: nothing is accepted by itself. */
const apart = () => memoryNetwork({ nodes: ["ana", "bo"], apart: "public" });

const requestsOf = async (node: Pair["nodes"]["ana"]) =>
  (await node.tool("list_pending_requests")).requests as JsonObject[];

const connectionsOf = async (node: Pair["nodes"]["ana"]) =>
  (await node.tool("list_connections")).connections as JsonObject[];

async function ask(net: Pair, action = "request") {
  const { ana, bo } = net.nodes;
  const asked = await ana.tool("connection", { action, target_url: bo.url });
  await net.settle();
  const [request] = await requestsOf(bo);
  return { asked, request, requestId: request?.request_id };
}

test("a request from this machine is accepted at once, and both sides know each other", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await ana.tool("update_bio", { bio: "asks" });
  const asked = await ana.tool("connection", { action: "request", target_url: `${bo.url}/mcp/` });
  expect(asked).toMatchObject({ success: true, status: "connected", agent_id: bo.id });
  expect(await connectionsOf(ana)).toMatchObject([
    { agent_id: bo.id, display_name: "bo", crypto: true, identity_verified: false },
  ]);
  expect(await connectionsOf(bo)).toMatchObject([{ agent_id: ana.id, bio_summary: "asks" }]);
  const again = await ana.tool("connection", { action: "request", target_url: bo.url });
  expect(again).toMatchObject({ success: true, status: "connected" });
  expect(await connectionsOf(ana)).toHaveLength(1);
});

test.each([
  ["a loopback URL from this machine", "http://127.0.0.1:9000", "127.0.0.1", true],
  ["a loopback URL from the local network", "http://127.0.0.1:9000", LAN, 400],
  ["a loopback URL from far away", "http://localhost:9000", PUBLIC, 400],
  ["an IPv6 loopback URL from far away", "http://[::1]:9000", PUBLIC, 400],
  ["a private URL from the local network", "http://192.168.7.200:9000", LAN, true],
  ["a private URL from far away", "http://192.168.7.200:9000", PUBLIC, false],
  ["a public URL from this machine", "https://agent.example", "127.0.0.1", false],
  ["a name that looks local from far away", "http://localhost.example", PUBLIC, false],
] as const)("%s: accepted by itself %s %s → %s", async (_title, url, remote, outcome) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const bo = stranger(net.clock, net.hosts.ana);
  const answer = await bo.post(
    net.nodes.ana,
    "connection_request",
    bo.request({ from_agent_url: url }),
    remote,
  );
  if (outcome === 400) expect(answer.status).toBe(400);
  else expect(answer).toMatchObject({ status: 200, json: { auto_accepted: outcome } });
});

test("a request that came through a proxy of this machine is not taken for local", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const bo = stranger(net.clock, net.hosts.ana);
  const answer = await net.nodes.ana.local({
    method: "POST",
    path: "/__darkmatter__/connection_request",
    headers: { "x-forwarded-for": PUBLIC },
    body: bo.request({ from_agent_url: "http://192.168.7.9:9000" }),
  });
  expect(answer.json).toMatchObject({ auto_accepted: false });
});

test("from afar: asked, proven, accepted, told; then both can talk", async () => {
  await using net = await apart();
  const { ana, bo } = net.nodes;
  const { asked, request, requestId } = await ask(net);
  expect(asked).toMatchObject({ success: true, status: "pending", request_id: requestId });
  expect(request).toMatchObject({ from_agent_id: ana.id, from_agent_display_name: "ana", crypto: true });
  expect(await connectionsOf(ana)).toEqual([]);
  const accepted = await bo.tool("connection", { action: "accept", request_id: requestId });
  expect(accepted).toMatchObject({ success: true, accepted: true, agent_id: ana.id, mutual: false });
  await net.settle();
  expect(await connectionsOf(bo)).toMatchObject([{ agent_id: ana.id, identity_verified: true }]);
  expect(await connectionsOf(ana)).toMatchObject([{ agent_id: bo.id, identity_verified: false }]);
  expect(await requestsOf(bo)).toEqual([]);
  expect(await ana.tool("send_message", { content: "hi" })).toMatchObject({ routed_to: [bo.id] });
});

test("request_mutual asks the other side to connect back", async () => {
  await using net = await apart();
  const { requestId } = await ask(net, "request_mutual");
  const accepted = await net.nodes.bo.tool("connection", { action: "accept", request_id: requestId });
  expect(accepted).toMatchObject({ mutual: true });
  await net.settle();
  expect(await connectionsOf(net.nodes.ana)).toHaveLength(1);
  expect(await connectionsOf(net.nodes.bo)).toHaveLength(1);
});

test("of two acceptances of one request at once one finds nothing", async () => {
  await using net = await apart();
  const { bo } = net.nodes;
  const { requestId } = await ask(net);
  const accept = () =>
    bo.local({
      method: "POST",
      path: "/__darkmatter__/accept_pending",
      body: { request_id: requestId },
    });
  const answers = await Promise.all([accept(), accept()]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404]);
  expect(await connectionsOf(bo)).toHaveLength(1);
});

test("a rejected request is gone without a word to the requester", async () => {
  await using net = await apart();
  const { ana, bo } = net.nodes;
  const { requestId } = await ask(net);
  const reject = () => bo.tool("connection", { action: "reject", request_id: requestId });
  expect(await reject()).toMatchObject({ success: true, accepted: false, agent_id: ana.id });
  expect(await reject()).toMatchObject({ success: false });
  await net.settle();
  expect(await connectionsOf(ana)).toEqual([]);
});

test("a proof is single use, for its own agent, and lasts sixty seconds", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana, { url: "https://bo.example" });
  const challenge = async () =>
    (await bo.post(ana, "connection_request", bo.request(), PUBLIC)).json as JsonObject;
  const proof = ({ challenge_id: id, challenge_hex: hex }: JsonObject, fields: JsonObject = {}) =>
    bo
      .post(
        ana,
        "connection_proof",
        {
          challenge_id: id,
          proof_hex: bo.signer.sign(`darkmatter.challenge_response.v1\n${String(hex)}`),
          agent_id: bo.id,
          public_key_hex: bo.id,
          ...fields,
        },
        PUBLIC,
      )
      .then(({ status }) => status);
  const other = createSigner(new Uint8Array(32).fill(9)).agentId;

  const first = await challenge();
  expect(await proof(first, { proof_hex: "00".repeat(64) })).toBe(403);
  expect(await proof(first, { public_key_hex: other })).toBe(400);
  expect(await proof(first, { agent_id: other, public_key_hex: other })).toBe(404);
  expect(await proof(first, { challenge_id: "ch-0000000000000000" })).toBe(404);
  await net.clock.advance(60_000);
  expect(await proof(first)).toBe(200);
  expect(await proof(first)).toBe(404);
  expect(await requestsOf(ana)).toMatchObject([{ crypto: true }]);

  const late = await challenge();
  await net.clock.advance(60_001);
  expect(await proof(late)).toBe(403);
});

test("what a proven requester said is not replaced by whoever repeats its request", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana, { url: "https://bo.example" });
  const ask = (fields = {}) => bo.post(ana, "connection_request", bo.request(fields), PUBLIC);
  const { challenge_id, challenge_hex } = (await ask()).json as JsonObject;
  const proof_hex = bo.signer.sign(`darkmatter.challenge_response.v1\n${String(challenge_hex)}`);
  await bo.post(
    ana,
    "connection_proof",
    { challenge_id, proof_hex, agent_id: bo.id, public_key_hex: bo.id },
    PUBLIC,
  );

  await ask({ from_agent_url: "https://thief.example" });
  expect(await requestsOf(ana)).toMatchObject([{ crypto: true, from_agent_url: "https://bo.example" }]);
});

test("the repeated request of one agent keeps its place; the fifty-first agent hears 429", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: { rateGlobal: -1 } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana, { url: "https://bo.example" });
  const from = (seed: number) => {
    const id = createSigner(new Uint8Array(32).fill(seed)).agentId;
    return bo.post(
      ana,
      "connection_request",
      bo.request({ from_agent_id: id, from_agent_public_key_hex: id }),
      PUBLIC,
    );
  };
  const ids = new Set<unknown>();
  for (let seed = 1; seed <= 50; seed++) ids.add(((await from(seed)).json as JsonObject).request_id);
  expect(ids.size).toBe(50);
  expect((await from(51)).status).toBe(429);
  const again = await from(7);
  expect(again.status).toBe(200);
  expect(ids).toContain((again.json as JsonObject).request_id);
  await net.clock.advance(HOUR_MS + 1);
  expect((await from(51)).status).toBe(200);
  expect(await requestsOf(ana)).toHaveLength(1);
});

test("a node whose connections are full accepts nobody more, by itself or by hand", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana", "bo", "cy"],
    configOf: { bo: { maxConnections: 1 } },
  });
  const { bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  const asked = await cy.tool("connection", { action: "request", target_url: bo.url });
  expect(asked).toMatchObject({ success: true, status: "pending" });
  const request_id = (await requestsOf(bo))[0]?.request_id;
  const body = { request_id };
  const accepted = await bo.local({ method: "POST", path: "/__darkmatter__/accept_pending", body });
  expect(accepted.status).toBe(429);
  expect(await requestsOf(bo)).toHaveLength(1);
  const document = await bo.local({ path: "/.well-known/darkmatter.json" });
  expect(document.json).toMatchObject({ accepting_connections: false });
});

test("a blocked agent is refused everywhere, and forgiven when unblocked", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = String(sent.message_id);
  const statuses = async () => [
    (await bo.post(ana, "connection_request", bo.request())).status,
    (await bo.post(ana, "message", bo.message())).status,
    (await bo.post(ana, `webhook/${id}`, bo.reply(id, "!"))).status,
    (await bo.post(ana, `webhook/${id}`, { type: "responding", agent_id: bo.id })).status,
  ];
  expect(await ana.tool("connection", { action: "block", agent_id: bo.id })).toMatchObject({ success: true });
  expect(await connectionsOf(ana)).toEqual([]);
  expect(await statuses()).toEqual([403, 403, 403, 403]);
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
  bo.answers(() => [200, { auto_accepted: true, agent_id: bo.id, agent_url: bo.url }]);
  const asked = await ana.tool("connection", { action: "request", target_url: bo.url });
  expect(asked).toMatchObject({ success: false });
  await ana.tool("connection", { action: "unblock", agent_id: bo.id });
  expect(await statuses()).toEqual([200, 200, 200, 200]);
  const again = await ana.tool("connection", { action: "unblock", agent_id: bo.id });
  expect(again).toMatchObject({ success: false });
});

test("a disconnect is announced, and the peer lets go as well; impressions stay", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.5 });
  const ended = await ana.tool("connection", { action: "disconnect", agent_id: bo.id });
  expect(ended).toMatchObject({ success: true, disconnected_from: bo.id });
  await net.settle();
  expect(await connectionsOf(ana)).toEqual([]);
  expect(await connectionsOf(bo)).toEqual([]);
  expect(await ana.tool("get_impression", { agent_id: bo.id })).toMatchObject({ score: 0.5 });
  const again = await ana.tool("connection", { action: "disconnect", agent_id: bo.id });
  expect(again).toMatchObject({ success: false });
});

test.each([
  ["a key that is not the id", { from_agent_public_key_hex: "ab".repeat(32) }],
  ["an id that is no key", { from_agent_id: "bo", from_agent_public_key_hex: null }],
  [
    "a key of small order",
    { from_agent_id: `01${"00".repeat(31)}`, from_agent_public_key_hex: `01${"00".repeat(31)}` },
  ],
  ["an id in upper case", { from_agent_id: "AB".repeat(32), from_agent_public_key_hex: null }],
  ["an id that is too long", { from_agent_id: "a".repeat(129) }],
  ["no URL", { from_agent_url: "" }],
  ["a URL of another scheme", { from_agent_url: "file:///etc/passwd" }],
  ["a URL with a user", { from_agent_url: "http://user@127.0.0.1:9000" }],
  ["a URL with a query", { from_agent_url: "http://127.0.0.1:9000/admin?x=" }],
  ["a URL with a fragment", { from_agent_url: "http://127.0.0.1:9000/admin#" }],
  ["a URL that is too long", { from_agent_url: `http://127.0.0.1:9000/${"a".repeat(2048)}` }],
])("a request with %s is refused", async (_title, fields) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  expect((await bo.post(ana, "connection_request", bo.request(fields))).status).toBe(400);
  expect(await connectionsOf(ana)).toEqual([]);
  expect(await requestsOf(ana)).toEqual([]);
});

test("nobody connects to itself", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  for (const url of [ana.url, `${ana.url}/mcp`, "http://localhost:8100"]) {
    const asked = await ana.tool("connection", { action: "request", target_url: url });
    expect(asked).toMatchObject({ success: false });
  }
  expect(await connectionsOf(ana)).toEqual([]);
});

test("a target that is down, refuses or answers nonsense leaves no trace", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const asked = () => ana.tool("connection", { action: "request", target_url: bo.url });
  const bad: Array<[number, JsonObject]> = [
    [500, { error: "broken" }],
    [200, { auto_accepted: true }],
    [200, { auto_accepted: true, agent_id: ana.id, agent_url: ana.url }],
    [200, { auto_accepted: true, agent_id: "x", agent_url: bo.url }],
  ];
  for (const answer of bad) {
    bo.answers(() => answer);
    expect(await asked(), JSON.stringify(answer)).toMatchObject({
      success: false,
      error: expect.any(String),
    });
  }
  const nobody = { action: "request", target_url: "http://127.0.0.1:9999" };
  expect(await ana.tool("connection", nobody)).toMatchObject({ success: false });
  expect(await connectionsOf(ana)).toEqual([]);
  expect(await ana.db.all("SELECT * FROM mesh_outbound_requests")).toEqual([]);
});
