import { HOUR_MS, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { strangersShard } from "../testing/shard-author.ts";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";
import { hasTag, isPlainTag, SHARDS_MAX } from "./shard.ts";

const share = (node: TestNode, fields: object = {}, call = {}) =>
  node.tool("create_shard", { content: "API uses JWT", tags: ["api:auth"], ...fields }, call);

const idsOf = async (node: TestNode, wanted: object = {}) => {
  const { shards } = await node.tool("view_shards", wanted);
  return (shards as JsonObject[]).map(({ shard_id: id }) => id);
};

test("a shard goes to the peers trusted enough, who have a read-only copy of it", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.5 });
  for (const node of [bo, cy]) await node.tool("set_impression", { agent_id: ana.id, score: 0.5 });
  const made = await share(ana, { trust_threshold: 0.4 });
  expect(made).toMatchObject({
    success: true,
    shard_id: expect.stringMatching(/^shard-[0-9a-f]{12}$/),
    tags: ["api:auth"],
    trust_threshold: 0.4,
    pushed_to: [bo.id],
  });
  const { shard_id } = made;
  expect((await ana.tool("view_shards")).shards).toMatchObject([
    { shard_id, author: ana.id, content: "API uses JWT" },
  ]);
  expect((await bo.tool("view_shards")).shards).toMatchObject([
    { shard_id, author: ana.id, author_name: "ana", cached: true },
  ]);
  expect(await idsOf(cy)).toEqual([]);
});

test("shards are found by tag, by what stands before its colon, and by author; long ones are cut in lists", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const long = "😀".repeat(600);
  const { shard_id: llm } = await share(ana, { content: long, tags: ["pool:llm"] });
  await net.clock.advance(1000);
  const { shard_id: other } = await share(bo, { tags: ["pools"], summary: "in short", content: "at length" });
  for (const node of [ana, bo]) {
    expect(await idsOf(node)).toEqual([other, llm]);
    expect(await idsOf(node, { tags: ["pool"] })).toEqual([llm]);
    expect(await idsOf(node, { tags: ["pool:llm", "pools"] })).toEqual([other, llm]);
    expect(await idsOf(node, { tags: ["pool:llm:x", "ool"] })).toEqual([]);
    expect(await idsOf(node, { author: bo.id })).toEqual([other]);
  }
  const [short, cut] = (await bo.tool("view_shards")).shards as JsonObject[];
  expect(short).toMatchObject({ summary: "in short" });
  expect(short).not.toHaveProperty("content");
  expect(cut).toMatchObject({ content: "😀".repeat(500), truncated: true });
  expect((await bo.tool("view_shards", { shard_id: llm })).shards).toMatchObject([{ content: long }]);
});

test("a tag finds itself and what is below it, and nothing else", () => {
  const word = fc.stringMatching(/^[a-z]{1,4}$/);
  fc.assert(
    fc.property(word, word, (area, detail) => {
      expect(hasTag([area], area)).toBe(true);
      expect(hasTag([`${area}:${detail}`], area)).toBe(true);
      expect(hasTag([`${area}${detail}`], area)).toBe(false);
      expect(hasTag([area], `${area}:${detail}`)).toBe(false);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.string().filter(isPlainTag)), (tags) => {
      expect(tags.join(",").split(",").filter(Boolean)).toEqual(tags);
    }),
  );
});

test.each([
  ["no tags", { tags: [] }],
  ["a comma in a tag", { tags: ["a,b"] }],
  ["a long tag", { tags: ["t".repeat(129)] }],
  ["too many tags", { tags: Array.from({ length: 51 }, (_, at) => `t${at}`) }],
  ["a long content", { content: "c".repeat(65_537) }],
  ["a long summary", { summary: "s".repeat(1001) }],
  ["a threshold above 1", { trust_threshold: 1.5 }],
])("a shard that peers would refuse is not made: %s", async (_what, fields) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  expect(await share(ana, fields)).toMatchObject({ success: false, error: expect.any(String) });
  expect(await idsOf(ana)).toEqual([]);
});

test("200 own shards are the most, mirrors counted apart; a withdrawn one makes room", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  await bo.post(ana, "shard_push", strangersShard(net.clock, bo));
  const [first] = [await share(ana)];
  for (let at = 1; at < SHARDS_MAX; at++) await share(ana);
  expect(await share(ana)).toMatchObject({
    success: false,
    next_step: expect.stringContaining("darkmatter shards withdraw"),
  });
  const withdraw = (id: unknown, session: string) =>
    ana.tool("owner_withdraw_shard", { shard_id: id }, { session });
  await expect(withdraw(first?.shard_id, "agent")).rejects.toThrow("no tool");
  expect(await withdraw("shard-none", "owner")).toMatchObject({ success: false });
  expect(await withdraw("shard-1", "owner")).toMatchObject({ success: false });
  expect(await withdraw(first?.shard_id, "owner")).toMatchObject({ success: true });
  expect(await share(ana)).toMatchObject({ success: true });
});

test("a call repeated after a crash makes no second shard", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const first = await share(ana, {}, { callId: "call-1" });
  expect(await share(ana, {}, { callId: "call-1" })).toMatchObject({ shard_id: first.shard_id });
  expect(await idsOf(ana)).toEqual([first.shard_id]);
});

test("a new peer gets what it may have, and more when it is trusted more", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await share(ana, { tags: ["open"] });
  await share(ana, { tags: ["close"], trust_threshold: 0.5 });
  await bo.tool("set_impression", { agent_id: ana.id, score: 1 });
  await net.connect("bo", "ana");
  await net.settle();
  // Ana was connected first, and bo knew nothing of it.
  await net.clock.advance(MINUTE_MS);
  await ana.job("shards.retry");
  const tags = async () =>
    ((await bo.tool("view_shards", { author: ana.id })).shards as JsonObject[]).flatMap((one) => one.tags);
  expect(await tags()).toEqual(["open"]);
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.4 });
  await net.settle();
  expect(await tags()).toEqual(["open"]);
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.5 });
  await net.settle();
  expect((await tags()).toSorted()).toEqual(["close", "open"]);
});

test("a message more, which moves a score across no threshold, pushes nothing", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  await share(ana);
  expect(bo.heardAt("shard_push")).toHaveLength(1);
  await ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  await net.settle();
  expect(bo.heardAt("shard_push")).toHaveLength(1);
});

test("peers that are dead do not hold up the others, and get it once they are heard", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const peers = Array.from({ length: 40 }, (_, at) =>
    stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 100 + at }),
  );
  const [first, last] = [peers[0], peers.at(-1)];
  net.hosts.ana.listen(8999, () => new Promise(() => {}));
  for (const peer of peers) {
    const isDead = peer !== first && peer !== last;
    const place = isDead && { from_agent_url: `http://127.0.0.1:8999/${peer.id}` };
    await peer.post(ana, "connection_request", peer.request({ ...place }));
  }
  first?.answers(() => [503]);
  const sharing = share(ana);
  await net.clock.advance(5 * SECOND_MS);
  await sharing;
  await net.clock.advance(MINUTE_MS);
  // Known as dead, they come last from now on: who is there has it at once.
  const again = share(ana);
  await net.clock.advance(SECOND_MS);
  expect(last?.heardAt("shard_push")).toHaveLength(2);
  await net.clock.advance(4 * SECOND_MS);
  expect(await again).toMatchObject({ pushed_to: [last?.id] });
  await net.clock.advance(MINUTE_MS);
  first?.answers(() => undefined);
  const before = first?.heardAt("shard_push").length ?? 0;
  await first?.post(ana, "message", first.message());
  await net.settle();
  expect(first?.heardAt("shard_push").length).toBe(before + 2);
});

test("shards are renewed every 12 hours, so that mirrors live as long as their author", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const { shard_id } = await share(ana);
  const hours = async (count: number) => {
    await net.clock.advance(count * HOUR_MS);
    await ana.job("shards.renew");
    await net.settle();
    await bo.job("shards.prune");
  };
  const [{ updated_at: first } = {}] = (await bo.tool("view_shards")).shards as JsonObject[];
  await hours(11);
  const [{ updated_at: second } = {}] = (await bo.tool("view_shards")).shards as JsonObject[];
  expect(second).toBe(first);
  await hours(1);
  const [{ updated_at: third } = {}] = (await bo.tool("view_shards")).shards as JsonObject[];
  expect(third).not.toBe(first);
  await hours(20);
  await hours(20);
  expect(await idsOf(bo)).toEqual([shard_id]);
  // The mirror was news when it came, not each time it was renewed.
  expect(await bo.tool("get_identity")).toMatchObject({ _hint: "No new activity" });
  await net.clock.advance(24 * HOUR_MS);
  await bo.job("shards.prune");
  expect(await idsOf(bo)).toEqual([]);
  expect(await idsOf(ana)).toEqual([shard_id]);
});

test("when a connection ends its mirrors are gone: also of a peer disliked for an hour", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await share(bo);
  await share(ana, { tags: ["ours"] });
  await ana.tool("set_impression", { agent_id: bo.id, score: -0.5 });
  expect(await idsOf(ana)).toHaveLength(2);
  await net.clock.advance(HOUR_MS + MINUTE_MS);
  await ana.job("connections.part");
  await net.settle();
  expect((await ana.tool("view_shards")).shards).toMatchObject([{ tags: ["ours"] }]);
  for (const node of [ana, bo]) {
    await node.job("shards.prune");
    const rows = await node.db.all("SELECT shard_id FROM mesh_shards");
    expect(rows).toHaveLength(1);
  }
  expect((await ana.tool("list_inbox")).notes_of_this_node).toMatchObject([{ agent_id: bo.id }]);
});

test("shards show in the status, in hints and in what tools are seen", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  const names = async (node: TestNode) => {
    await node.tool("get_identity", {}, { session: "probe" });
    return node.tools.names("fresh").filter((name) => name.endsWith("shard") || name.endsWith("shards"));
  };
  expect(await names(bo)).toEqual([]);
  await net.connect("ana", "bo");
  expect(await names(bo)).toEqual(["darkmatter_create_shard"]);
  await share(ana);
  expect(await bo.tool("get_identity", {}, { session: "one" })).toMatchObject({ _hint: "1 peer shard" });
  expect(await bo.tool("get_identity", {}, { session: "one" })).toMatchObject({ _hint: "No new activity" });
  expect(await names(bo)).toEqual(["darkmatter_create_shard", "darkmatter_view_shards"]);
  expect((await bo.tool("status")).text).toContain("0 own shards, 1 peer shards");
  expect((await bo.tool("status")).text).toContain("ACTION: 1 shard(s) of peers");
  expect((await ana.tool("status")).text).toContain("1 own shards, 0 peer shards");
});

test("the state file brings shards to another database, and leaves out what could not be signed", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request({ features: ["shards/1"] }));
  await bo.post(ana, "shard_push", strangersShard(net.clock, bo, { whole: true }));
  await share(ana, { summary: "short" });
  const file = JSON.parse(await ana.mesh.stateFiles.write(ana.db)) as { shared_shards: JsonObject[] };
  expect(file.shared_shards).toHaveLength(2);
  const bad = [
    { tags: ["a\nb"] },
    { updated_at: "never" },
    { trust_threshold: 7 },
    { content: "c".repeat(65_537) },
  ];
  const more = bad.map((fields, at) => ({ ...file.shared_shards[0], shard_id: `bad-${at}`, ...fields }));
  await ana.db.write(async (tx) => {
    await tx.run("DELETE FROM mesh_shards");
    const source = JSON.stringify({ ...file, shared_shards: [...more, ...file.shared_shards] });
    await ana.mesh.stateFiles.load(tx, source);
  });
  const again = JSON.parse(await ana.mesh.stateFiles.write(ana.db)) as typeof file;
  expect(again.shared_shards).toEqual(file.shared_shards);
});
