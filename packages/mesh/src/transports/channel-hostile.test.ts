import { isoTime, SECOND_MS } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { channelStranger, type OpenChannel } from "../testing/channel-stranger.ts";
import { memoryNetwork } from "../testing/memory-network.ts";

const PATH = "/__darkmatter__/channel";

const part = (payload: object) => ({ path: PATH, payload: { id: "r1", part: 0, parts: 1, ...payload } });
const request = (path: string, body?: object, id = "r1") =>
  part({
    id,
    text: JSON.stringify({ method: body ? "POST" : "GET", path, query: "", ...(body && { body }) }),
  });

async function opened(features?: readonly string[]) {
  const net = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
  const eve = channelStranger(net, 99);
  await eve.connectTo(net.nodes.ana, features);
  const line = await eve.open(net.nodes.ana);
  await net.settle();
  return { net, eve, line, ana: net.nodes.ana, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

const answersIn = ({ heard }: OpenChannel) =>
  heard.map(
    ({ payload }) => JSON.parse((payload as { text: string }).text) as { status: number; body: object },
  );

const messageWithin = (timeoutMs: number) =>
  ({ method: "POST", path: "message", body: {}, timeoutMs }) as const;

test("a request on a channel is answered by the node's own handler, as one from afar", async () => {
  await using world = await opened();
  const { net, ana, line } = world;
  line.send(request("/__darkmatter__/status"));
  await net.settle();
  expect(line.heard).toMatchObject([{ path: PATH, payload: { id: "r1", part: 0, parts: 1, answer: true } }]);
  expect(answersIn(line)).toMatchObject([{ status: 200, body: { agent_id: ana.id } }]);
});

test.each([
  ["/__darkmatter__/inbox"],
  ["/__darkmatter__/config", { status: "inactive" }],
  ["/__darkmatter__/accept_pending", { request_id: "x" }],
  ["/mcp", {}],
  ["/__darkmatter__/message/../config", { status: "inactive" }],
  ["/bootstrap"],
])("what is for this machine alone is not to be had over a channel: %s", async (path, body?: object) => {
  await using world = await opened();
  world.line.send(request(path, body));
  await world.net.settle();
  expect(answersIn(world.line)).toEqual([{ status: 404, body: { error: "Not Found" } }]);
});

test("a request over a channel is never one of this machine's own", async () => {
  await using world = await opened();
  const { net, line, eve } = world;
  const newUrl = "http://127.0.0.1:9000";
  const timestamp = isoTime(net.clock.now());
  const signature = signText(eve.signer, peerUpdateText({ agentId: eve.id, newUrl, timestamp }));
  const update = { agent_id: eve.id, new_url: newUrl, timestamp, signature };
  line.send(request("/__darkmatter__/peer_update", update));
  await net.settle();
  expect(answersIn(line)).toMatchObject([{ status: 400 }]);
});

test("a peer that asks too often over its channel uses up nobody else's share", async () => {
  await using world = await opened();
  const { net, ana, line } = world;
  const bo = channelStranger(net, 98);
  await bo.connectTo(ana);
  const other = await bo.open(ana);
  for (let at = 0; at < 130; at++) {
    line.send(request("/__darkmatter__/sdp_relay", {}, `r${at}`));
    if (at % 20 === 19) await net.settle();
  }
  other.send(request("/__darkmatter__/sdp_relay", {}));
  await net.settle();
  expect(answersIn(line).at(-1)).toMatchObject({ status: 429 });
  expect(answersIn(other)).toMatchObject([{ status: 400 }]);
});

test("a peer that signs in another's name is refused on a channel as anywhere", async () => {
  await using world = await opened();
  const { net, ana, line } = world;
  const bo = channelStranger(net, 98);
  await bo.connectTo(ana, []);
  const forged = { ...world.eve.message({ from_agent_id: bo.id, from_public_key_hex: bo.id }) };
  line.send(request("/__darkmatter__/message", forged));
  await net.settle();
  expect(answersIn(line)).toMatchObject([{ status: 403 }]);
  line.send(request("/__darkmatter__/message", world.eve.message(), "r2"));
  await net.clock.settle();
  expect(answersIn(line)).toContainEqual(expect.objectContaining({ status: 200 }));
  expect(await ana.tool("list_inbox")).toMatchObject({ messages: [{ from_agent_id: world.eve.id }] });
  // That it arrived is told over the channel, which nobody answers here.
  await net.clock.advance(11 * SECOND_MS);
});

test.each([
  ["what is no JSON", "hello"],
  ["no object", "[1]"],
  ["no payload", { path: PATH }],
  ["an id that is none", part({ id: "a b", text: "" })],
  ["parts that cannot be", part({ parts: 100_000, text: "" })],
  ["a part before the first", part({ part: 1, parts: 2, text: "x" })],
  ["a request that is none", part({ text: "[]" })],
  ["a method there is not", part({ text: JSON.stringify({ method: "DELETE", path: "/x" }) })],
  ["a frame too long", { path: "/x", payload: { fill: "x".repeat(17_000) } }],
])("a channel on which comes %s is closed", async (_what, frame) => {
  await using world = await opened();
  expect(world.line.channel.isOpen).toBe(true);
  world.line.send(frame);
  await world.net.settle();
  expect(world.line.channel.isOpen).toBe(false);
  expect(world.ana.reports.join()).toContain("channel.broken");
});

test("a peer with more than 32 requests begun and not ended loses its channel", async () => {
  await using world = await opened();
  for (let id = 0; id < 32; id++) world.line.send(part({ id: `r${id}`, parts: 2, text: "x" }));
  await world.net.settle();
  expect(world.line.channel.isOpen).toBe(true);
  world.line.send(part({ id: "r32", parts: 2, text: "x" }));
  await world.net.settle();
  expect(world.line.channel.isOpen).toBe(false);
});

test("half-sent requests of more than 2 MiB together close the channel", async () => {
  await using world = await opened();
  const text = "x".repeat(16_000);
  for (let id = 0; id < 4; id++) {
    for (let at = 0; at < 40; at++) world.line.send(part({ id: `r${id}`, part: at, parts: 50, text }));
  }
  await world.net.settle();
  expect(world.line.channel.isOpen).toBe(false);
});

test("a request begun and left is dropped after 30 s, and its place is free again", async () => {
  await using world = await opened();
  const { net, ana, line } = world;
  for (let id = 0; id < 32; id++) line.send(part({ id: `r${id}`, parts: 2, text: "x" }));
  await net.clock.advance(31 * SECOND_MS);
  await ana.job("transports.upgrade");
  line.send(part({ id: "r0", part: 1, parts: 2, text: "late" }));
  line.send(request("/__darkmatter__/status", undefined, "new"));
  await net.settle();
  expect(answersIn(line)).toMatchObject([{ status: 200 }]);
});

test("a channel that was replaced is not held open by a request the peer never ends", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  line.send(part({ parts: 2, text: "x" }));
  await net.settle();
  const next = await eve.open(ana);
  await net.settle();
  for (let at = 0; at < 4; at++) {
    line.send(part({ id: `more${at}`, parts: 2, text: "x" }));
    await net.clock.advance(8 * SECOND_MS);
  }
  expect([line.channel.isOpen, next.channel.isOpen]).toEqual([false, true]);
});

test("answers nobody asked for are passed over, and a flood of them closes the channel", async () => {
  await using world = await opened();
  const { net, line } = world;
  const stray = part({ id: "77", answer: true, text: JSON.stringify({ status: 200, body: {} }) });
  for (let count = 0; count < 1000; count++) line.send(stray);
  await net.settle();
  expect(line.channel.isOpen).toBe(true);
  line.send(stray);
  await net.settle();
  expect(line.channel.isOpen).toBe(false);
});

test("an answer under another id is not taken for ours", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  line.channel.onMessage((text) => {
    const { payload } = JSON.parse(text) as { payload: { id: string } };
    const answer = { status: 200, body: { success: true } };
    line.send(part({ id: `${payload.id}x`, answer: true, text: JSON.stringify(answer) }));
  });
  eve.answers(() => [503]);
  const sending = ana.mesh.call(eve.id, messageWithin(SECOND_MS));
  await net.clock.advance(2 * SECOND_MS);
  expect(await sending).toMatchObject({ kind: "answered", way: "http", repeated: true });
});

test("a peer that falls silent on an open channel is asked over HTTP within 3 s, and the channel is given up", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  const sending = ana.mesh.call(eve.id, messageWithin(60 * SECOND_MS));
  await net.clock.advance(3 * SECOND_MS);
  expect(line.channel.isOpen).toBe(false);
  expect(await sending).toMatchObject({ kind: "answered", way: "http", repeated: true });
});

test("a peer that only takes its time keeps its channel, by saying that it is there", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  line.channel.onMessage((text) => {
    const { payload } = JSON.parse(text) as { payload: { id: string; text: string } };
    const { path } = JSON.parse(payload.text) as { path: string };
    const answer = (status: number) =>
      line.send(part({ id: payload.id, answer: true, text: JSON.stringify({ status, body: {} }) }));
    if (path !== "/__darkmatter__/message") answer(404);
    else void net.clock.sleep(8 * SECOND_MS).then(() => answer(200));
  });
  const sending = ana.mesh.call(eve.id, messageWithin(10 * SECOND_MS));
  await net.clock.advance(9 * SECOND_MS);
  expect(await sending).toMatchObject({ kind: "answered", way: "webrtc", repeated: false });
  expect(line.channel.isOpen).toBe(true);
});

test("a channel that closes under a request gives it to HTTP at once", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  const sending = ana.mesh.call(eve.id, messageWithin(60 * SECOND_MS));
  await net.clock.settle();
  line.channel.close();
  expect(await sending).toMatchObject({ kind: "answered", way: "http", repeated: true });
  expect(await ana.tool("list_connections")).toMatchObject({
    connections: [{ transport: "http", connectivity_level: 1, connectivity_method: "direct" }],
  });
});

test("a message frame of the first generation arrives, and gets no answer", async () => {
  await using world = await opened([]);
  const { net, ana, eve, line } = world;
  line.send({ path: "/__darkmatter__/message", payload: eve.message({ content: "over the channel" }) });
  line.send({
    path: "/__darkmatter__/peer_update",
    payload: { agent_id: eve.id, new_url: "http://192.168.7.1:1" },
  });
  await net.settle();
  expect(await ana.tool("list_inbox")).toMatchObject({ messages: [{ content: "over the channel" }] });
  expect(await ana.tool("list_connections")).toMatchObject({ connections: [{ agent_url: eve.url }] });
  expect(line.heard).toEqual([]);
  expect(line.channel.isOpen).toBe(true);
});

test("an agent that is connected no more loses its channel", async () => {
  await using world = await opened();
  const { net, ana, eve, line } = world;
  await ana.tool("connection", { action: "block", agent_id: eve.id });
  await ana.job("transports.upgrade");
  await net.settle();
  expect(line.channel.isOpen).toBe(false);
});
