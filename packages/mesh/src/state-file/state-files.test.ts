import { readFileSync } from "node:fs";
import { hasCode, type Json, type JsonObject } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";
import { parseStateFile } from "./state-file.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../../../vectors/mesh/state_file.json", import.meta.url), "utf8"),
) as { file: JsonObject; legacy: { file: JsonObject } };

/** The vectors' file, as if it were this node's. */
const ownFile = (node: TestNode, file: JsonObject = vectors.file): JsonObject => ({
  ...file,
  agent_id: node.id,
  public_key_hex: node.id,
});

const load = (node: TestNode, file: Json) =>
  node.db.write((tx) => node.mesh.stateFiles.load(tx, JSON.stringify(file)));

const write = async (node: TestNode) => JSON.parse(await node.mesh.stateFiles.write(node.db)) as JsonObject;

test("a file of the first generation is taken over and written back as it was", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const file = ownFile(ana);
  expect(await ana.mesh.stateFiles.wasRead(ana.db)).toBe(false);
  await load(ana, file);
  expect(await ana.mesh.stateFiles.wasRead(ana.db)).toBe(true);
  const written = await write(ana);
  const { port: _, seen_message_ids: __, ...kept } = written;
  const { port: ___, seen_message_ids: ____, ...expected } = file;
  // Credentials of providers stay in the database.
  const bare = JSON.parse(
    JSON.stringify(expected).replace('"credential_value":"k"', '"credential_value":""'),
  );
  expect(kept).toEqual({ ...bare, message_queue: [] });
  expect(await ana.tool("list_connections")).toMatchObject({ total: 2 });
  expect(await ana.tool("get_sent_message", { message_id: "msg-s" })).toMatchObject({
    status: "responded",
    responses: [{ response: "hi" }],
  });
});

test("the older seed's spellings are understood", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const legacy: JsonObject = { ...ownFile(ana, vectors.legacy.file), private_key_hex: "11".repeat(32) };
  await load(ana, legacy);
  const written = await write(ana);
  expect(JSON.stringify(written)).not.toContain("11".repeat(32));
  const [first = {}] = Object.values(written.connections as Record<string, JsonObject>);
  expect(first).toMatchObject({ wallets: { solana: "legacyaddr" }, addresses: { http: first.agent_url } });
  expect(first).not.toHaveProperty("direction");
  const [about = ""] = Object.keys(legacy.impressions as JsonObject);
  expect(await ana.tool("get_impression", { agent_id: about })).toMatchObject({
    score: 0,
    note: "fast and accurate",
  });
  for (const tool of ["get_sent_message", "wait_for_response"]) {
    const shown = await ana.tool(tool, { message_id: "msg-s" });
    expect(shown, tool).toMatchObject({ responses: [{ response: "hi" }] });
  }
  expect(ana.tools.errors).toEqual([]);
});

test("what a node knows survives the way through a file into another database", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  await using again = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const copy = again.nodes.ana;
  expect(copy.id).toBe(ana.id);
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request({ features: ["digest/1"], wallets: { solana: "w" } }));
  await bo.post(ana, "message", bo.message());
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  await bo.post(ana, `webhook/${String(sent.message_id)}`, bo.reply(String(sent.message_id), "!"));
  await ana.tool("set_impression", { agent_id: bo.id, score: -0.5, note: "late" });
  await ana.tool("set_rate_limit", { limit: 77 });
  await ana.tool("update_bio", { bio: "knows chess" });
  await net.settle();
  const file = await write(ana);
  await load(copy, file);
  expect(await write(copy)).toEqual(file);
  const replayed = bo.message({ message_id: Object.keys(file.seen_message_ids as JsonObject)[0] ?? "" });
  expect((await bo.post(copy, "message", replayed)).status).toBe(409);
});

test.each([
  ["no JSON", "{"],
  ["nothing", ""],
  ["a list", "[]"],
  ["too deep", "[".repeat(5000)],
])("a file that is %s is refused and changes nothing", async (_title, source) => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const before = await write(ana);
  const loading = ana.db.write((tx) => ana.mesh.stateFiles.load(tx, source));
  await expect(loading).rejects.toMatchObject({ code: "STATE_FILE" });
  expect(await write(ana)).toEqual(before);
  expect(await ana.mesh.stateFiles.wasRead(ana.db)).toBe(false);
});

test("another agent's file is refused", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  await expect(load(net.nodes.ana, vectors.file)).rejects.toMatchObject({ code: "STATE_FILE" });
});

test("a file that is skipped counts as read", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  await ana.db.write((tx) => ana.mesh.stateFiles.skip(tx));
  expect(await ana.mesh.stateFiles.wasRead(ana.db)).toBe(true);
});

test("the inbox of a file is left out, and fields of later layers are kept as they are", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const later = { later_list: [1], something_new: { deep: [null] } };
  await load(ana, { ...ownFile(ana), ...later, message_queue: [{ message_id: "m", content: "old" }] });
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
  expect(await write(ana)).toMatchObject({ ...later, message_queue: [] });
});

test("connections whose id is no key are left out", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const [one] = Object.values(vectors.file.connections as Record<string, JsonObject>);
  const connections = {
    bo: { ...one, agent_id: "bo" },
    self: { ...one, agent_id: ana.id },
    weak: { ...one, agent_id: `01${"00".repeat(31)}` },
  };
  await load(ana, { ...ownFile(ana), connections });
  expect(await ana.tool("list_connections")).toMatchObject({ total: 0 });
});

test("numbers beyond measure do not make a node unusable", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const [one] = Object.values(vectors.file.connections as Record<string, JsonObject>);
  const counters = { messages_sent: 1e300, messages_received: 1e18, total_response_time_ms: 1e308 };
  await load(ana, {
    ...ownFile(ana),
    messages_handled: 1e18,
    rate_limit_global: -5,
    connections: {
      bo: { ...one, ...counters, agent_id: bo.id, agent_public_key_hex: bo.id, rate_limit: -7 },
    },
    sent_messages: {
      m: { message_id: "m", content: "x", created_at: "2026-03-05T12:00:00+00:00", initial_hops: 1e18 },
    },
    seen_message_ids: { old: 1e300, odd: -1e300, later: 1e15 },
  });
  await ana.mesh.start();
  expect((await bo.post(ana, "message", bo.message())).status).toBe(200);
  expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
  expect(await ana.tool("list_messages")).toMatchObject({ total: 1 });
  expect(await write(ana)).toMatchObject({ agent_id: ana.id });
  expect(ana.tools.errors).toEqual([]);
});

test("whatever a field holds, the file is read or refused as damaged", () => {
  const self = String(vectors.file.agent_id);
  const names = Object.keys(vectors.file);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, value) => {
      try {
        parseStateFile(JSON.stringify({ ...vectors.file, [name]: value }), self);
        return true;
      } catch (error) {
        return hasCode(error, "STATE_FILE");
      }
    }),
  );
});
