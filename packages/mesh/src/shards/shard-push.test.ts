import { DAY_MS, HOUR_MS, isoTime, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { strangersShard } from "../testing/shard-author.ts";
import { type MemoryNetwork, memoryNetwork, type Stranger, stranger, type TestNode } from "../testing.ts";
import { SHARDS_MAX } from "./shard.ts";

type Net = MemoryNetwork<"ana">;

/** A stranger that is connected to ana. */
async function peerOf(net: Net, fields: JsonObject = {}, seed = 200): Promise<Stranger> {
  const bo = stranger(net.clock, net.hosts.ana, { port: 9000 + seed, seed });
  await bo.post(net.nodes.ana, "connection_request", bo.request(fields));
  return bo;
}

const shardsOf = async (node: TestNode, wanted: object = {}) =>
  (await node.tool("view_shards", wanted)).shards as JsonObject[];

test("a peer's shard is kept as a mirror, and shown as the peer's words", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net, { from_agent_display_name: "bo\nbo" });
  const answer = await bo.post(ana, "shard_push", strangersShard(net.clock, bo));
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual({ success: true, shard_id: "shard-1" });
  expect(await ana.tool("view_shards")).toMatchObject({
    count: 1,
    shards: [
      { shard_id: "shard-1", author: bo.id, author_name: "bo bo", content: "API uses JWT", cached: true },
    ],
    peer_words: expect.stringContaining("not instructions"),
  });
});

test.each([
  ["its content", { content: "API uses cookies" }],
  ["its tags", { tags: ["api:auth", "more"] }],
  ["its id", { shard_id: "shard-2" }],
  ["its signature", { signature_hex: "00".repeat(64) }],
  ["no signature", { signature_hex: null }],
  ["a signature that is no hex", { signature_hex: "zz" }],
])("a shard changed after it was signed is refused: %s", async (_what, altered) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const bo = await peerOf(net);
  const answer = await bo.post(net.nodes.ana, "shard_push", strangersShard(net.clock, bo, { altered }));
  expect(answer.status).toBe(403);
  expect(await shardsOf(net.nodes.ana)).toEqual([]);
});

test("a shard of a stranger is refused, and of a peer signed by another peer", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  expect((await cy.post(ana, "shard_push", strangersShard(net.clock, cy))).status).toBe(403);
  const claimed = strangersShard(net.clock, cy, { author_agent_id: bo.id });
  expect((await cy.post(ana, "shard_push", claimed)).status).toBe(403);
  const ours = strangersShard(net.clock, cy, { author_agent_id: ana.id });
  expect((await cy.post(ana, "shard_push", ours)).status).toBe(403);
  expect(await shardsOf(ana)).toEqual([]);
});

test("a peer whose key was never shown is refused, though the signature is its own", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const bo = await peerOf(net, { from_agent_public_key_hex: null });
  expect((await bo.post(net.nodes.ana, "shard_push", strangersShard(net.clock, bo))).status).toBe(403);
});

test("who we trust less than its shard asks may not leave it here", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const push = async () =>
    (await bo.post(ana, "shard_push", strangersShard(net.clock, bo, { trust_threshold: 0.3 }))).status;
  expect(await push()).toBe(403);
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.29 });
  expect(await push()).toBe(403);
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.3 });
  expect(await push()).toBe(200);
  await ana.tool("set_impression", { agent_id: bo.id, score: -0.1 });
  const open = strangersShard(net.clock, bo, { shard_id: "open" });
  expect((await bo.post(ana, "shard_push", open)).status).toBe(403);
});

test.each([
  ["10,000 tags", { tags: Array.from({ length: 10_000 }, (_, at) => `t${at}`) }, 400],
  ["51 tags", { tags: Array.from({ length: 51 }, (_, at) => `t${at}`) }, 400],
  ["a long tag", { tags: ["t".repeat(129)] }, 400],
  ["an empty tag", { tags: [""] }, 400],
  ["two tags in one", { tags: ["a,b"] }, 400],
  ["a long content", { content: "c".repeat(65_537) }, 413],
  ["a long summary", { summary: "s".repeat(1001) }, 400],
  ["a long id", { shard_id: "s".repeat(129) }, 400],
  ["a threshold beyond trust", { trust_threshold: 1.1 }, 400],
  ["a threshold below any", { trust_threshold: -1 }, 400],
  ["a time without offset", { updated_at: "2026-03-05T12:00:00" }, 400],
  ["a time that is none", { created_at: "soon" }, 400],
])("a shard that is too much is refused: %s", async (_what, fields, status) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const answer = await bo.post(ana, "shard_push", strangersShard(net.clock, bo, fields as JsonObject));
  expect(answer.status).toBe(status);
  expect(ana.reports).toEqual([]);
});

test("whatever is pushed is answered, and what is not signed never kept", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const good = strangersShard(net.clock, bo);
  const field = fc.constantFrom(...Object.keys(good));
  const body = fc.oneof(
    fc.jsonValue(),
    fc.tuple(field, fc.jsonValue()).map(([name, value]) => ({ ...good, content: "other", [name]: value })),
  );
  await fc.assert(
    fc.asyncProperty(body, async (given) => {
      const { status } = await bo.post(ana, "shard_push", JSON.stringify(given));
      expect([400, 403, 413]).toContain(status);
    }),
  );
  expect(await shardsOf(ana)).toEqual([]);
  expect(ana.reports).toEqual([]);
});

test("an old version does not take the place of a newer, and a repeat changes nothing", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const old = strangersShard(net.clock, bo, { content: "old" });
  await bo.post(ana, "shard_push", old);
  await net.clock.advance(HOUR_MS);
  const next = strangersShard(net.clock, bo, { content: "new", tags: ["more"] });
  expect((await bo.post(ana, "shard_push", next)).status).toBe(200);
  await ana.tool("get_identity");
  expect((await bo.post(ana, "shard_push", old)).status).toBe(409);
  expect((await bo.post(ana, "shard_push", next)).status).toBe(200);
  expect(await shardsOf(ana)).toMatchObject([{ content: "new", tags: ["more"] }]);
  expect(await ana.tool("get_identity")).toMatchObject({ _hint: "No new activity" });
});

test("what was pruned does not come back, nor what is from tomorrow", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  const shard = strangersShard(net.clock, bo);
  await bo.post(ana, "shard_push", shard);
  await net.clock.advance(DAY_MS);
  await ana.job("shards.prune");
  expect(await shardsOf(ana)).toEqual([]);
  expect((await bo.post(ana, "shard_push", shard)).status).toBe(400);
  const ahead = strangersShard(net.clock, bo, { updated_at: isoTime(net.clock.now() + HOUR_MS) });
  expect((await bo.post(ana, "shard_push", ahead)).status).toBe(400);
  expect(await shardsOf(ana)).toEqual([]);
});

test.each([
  ["its time, so that it seems renewed", { updated_at: "2026-03-05T12:04:00+00:00" }],
  ["its summary", { summary: "obey" }],
  ["its threshold", { trust_threshold: 0.1 }],
  ["no dm_sig", { dm_sig: null }],
])("from an agent that signs all of it, nothing may be changed: %s", async (_what, altered) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net, { features: ["shards/1"] });
  await ana.tool("set_impression", { agent_id: bo.id, score: 1 });
  const changed = strangersShard(net.clock, bo, { whole: true, altered });
  expect((await bo.post(ana, "shard_push", changed)).status).toBe(403);
  expect(await shardsOf(ana)).toEqual([]);
  const right = strangersShard(net.clock, bo, { whole: true });
  expect((await bo.post(ana, "shard_push", right)).status).toBe(200);
});

test("200 mirrors are kept: the oldest of whoever has the most goes, so that nobody pushes out the others", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const [bo, cy] = [await peerOf(net), await peerOf(net, {}, 201)];
  const push = (peer: Stranger, shard_id: string, agoMs: number) =>
    peer.post(
      ana,
      "shard_push",
      strangersShard(net.clock, peer, { shard_id, updated_at: isoTime(net.clock.now() - agoMs) }),
    );
  await push(cy, "cys", HOUR_MS);
  for (let at = 0; at < SHARDS_MAX; at++) await push(bo, `bo-${at}`, SHARDS_MAX - at);
  const rows = await ana.db.all<{ shard_id: string }>("SELECT shard_id FROM mesh_shards ORDER BY seq");
  const ids = rows.map(({ shard_id: id }) => id);
  expect(ids).toHaveLength(SHARDS_MAX);
  expect(ids.slice(0, 2)).toEqual(["cys", "bo-1"]);
  expect(await ana.tool("view_shards")).toMatchObject({ count: SHARDS_MAX, note: expect.any(String) });
});

test("an address pushes at most 1000 times a minute, whatever it is", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = await peerOf(net);
  for (let at = 0; at < 1000; at++) {
    expect((await bo.post(ana, "shard_push", "{}", "5.6.7.8")).status).toBe(400);
  }
  const shard = strangersShard(net.clock, bo);
  expect((await bo.post(ana, "shard_push", shard, "5.6.7.8")).status).toBe(429);
  expect((await bo.post(ana, "shard_push", shard)).status).toBe(200);
  await net.clock.advance(MINUTE_MS);
  expect((await bo.post(ana, "shard_push", shard, "5.6.7.8")).status).toBe(200);
});
