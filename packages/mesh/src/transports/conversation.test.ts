import { isoTime, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { peerUpdateText, signText } from "@darkmatter/identity";
import { memoryLan } from "@darkmatter/net/testing";
import { expect, test } from "vitest";
import { anchorHost } from "../testing/anchor-host.ts";
import { channelStranger, type OpenChannel } from "../testing/channel-stranger.ts";
import { type MemoryNetwork, memoryNetwork, type TestNode } from "../testing/memory-network.ts";
import { channelAddress } from "./channel-exchange.ts";

type Names = "ana" | "bo";

async function upgrade(net: MemoryNetwork<Names>) {
  const all = [net.nodes.ana, net.nodes.bo];
  for (const node of all) await node.job("transports.upgrade");
  await net.clock.advance(6 * SECOND_MS);
  for (const node of all) {
    const running = node.job("transports.upgrade");
    await net.clock.advance(6 * SECOND_MS);
    await running;
  }
  await net.settle();
}

/** From now on nothing goes between the two by HTTP. */
function cutHttp({ internet, hosts }: MemoryNetwork<Names>) {
  internet.lose("request", { from: hosts.ana.name, to: hosts.bo.name });
  internet.lose("request", { from: hosts.bo.name, to: hosts.ana.name });
}

const shown = async (node: TestNode) => {
  const { connections } = (await node.tool("list_connections")) as { connections: JsonObject[] };
  return connections[0];
};

test("a whole conversation goes over a channel: message, receipts, answer", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await upgrade(net);
  cutHttp(net);
  const sent = await ana.tool("send_message", { content: "are you there?", target_agent_id: bo.id });
  await net.settle();
  const { messages } = (await bo.tool("list_inbox")) as { messages: JsonObject[] };
  expect(messages).toMatchObject([{ message_id: sent.message_id, from_agent_id: ana.id, verified: true }]);
  await bo.tool("get_message", { message_id: sent.message_id });
  await net.settle();
  expect(await ana.tool("get_sent_message", { message_id: sent.message_id })).toMatchObject({
    state: "read by 1 of 1",
  });
  await bo.tool("send_message", { reply_to: sent.message_id, content: "I am" });
  await net.settle();
  expect(await ana.tool("get_sent_message", { message_id: sent.message_id })).toMatchObject({
    responses: [{ agent_id: bo.id, response: "I am" }],
  });
  expect([...ana.reports, ...bo.reports]).toEqual([]);
});

/** Answers whatever is asked over a channel, and keeps what that was. */
function answering(line: OpenChannel, status: number): JsonObject[] {
  const asked: JsonObject[] = [];
  line.channel.onMessage((text) => {
    const { payload } = JSON.parse(text) as { payload: { id: string; text: string } };
    asked.push(JSON.parse(payload.text) as JsonObject);
    const answer = JSON.stringify({ status, body: {} });
    line.send({
      path: "/__darkmatter__/channel",
      payload: { id: payload.id, part: 0, parts: 1, answer: true, text: answer },
    });
  });
  return asked;
}

test("a webhook that names a third host is not called when its author has a channel", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
  const { ana } = net.nodes;
  const [eve, victim] = [channelStranger(net, 99), channelStranger(net, 98)];
  await eve.connectTo(ana);
  const asked = answering(await eve.open(ana), 200);
  const webhook = `${victim.url}/__darkmatter__/webhook/msg-1`;
  await eve.post(ana, "message", eve.message({ message_id: "msg-1", webhook }));
  await net.settle();
  expect(victim.heard).toEqual([]);
  expect(asked.map(({ path }) => path)).toEqual(["/__darkmatter__/webhook/msg-1"]);
});

test("the answer to a forwarded message goes to its author, not to the one it came from", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
  const { ana } = net.nodes;
  const [eve, author] = [channelStranger(net, 99), channelStranger(net, 98)];
  await eve.connectTo(ana);
  await author.connectTo(ana, []);
  const asked = answering(await eve.open(ana), 404);
  const webhook = `${author.url}/__darkmatter__/webhook/msg-1`;
  const metadata = { origin_agent_id: author.id };
  await eve.post(ana, "message", eve.message({ message_id: "msg-1", webhook, metadata }));
  await net.settle();
  expect(asked).toMatchObject([{ body: { type: "received" } }]);
  await ana.tool("send_message", { reply_to: "msg-1", content: "for your eyes" });
  await net.settle();
  expect(author.heardAt("/webhook/msg-1")).toContainEqual(
    expect.objectContaining({ response: "for your eyes" }),
  );
  expect(asked).toHaveLength(1);
});

/** A node of the first generation that answers offers, without signing where it is told so. */
function oldNode(net: Pick<MemoryNetwork<Names>, "clock" | "internet" | "channels">, signs: boolean) {
  const old = channelStranger(net, 99);
  const frames: JsonObject[] = [];
  const url = "http://192.168.7.99:9001";
  old.host.listen(9001, async ({ path, body }) => {
    const answer = (value: object) => ({ status: 200, headers: {}, body: JSON.stringify(value) });
    if (path.endsWith("darkmatter.json")) return answer({ agent_id: old.id, webrtc_enabled: true });
    if (!path.endsWith("webrtc_offer")) return answer({});
    const offer = JSON.parse(Buffer.from(body).toString("utf8")) as JsonObject;
    const { sdp, channel } = await old.webRtc.answer(String(offer.sdp_offer));
    void channel.then((open) => open.onMessage((text) => void frames.push(JSON.parse(text) as JsonObject)));
    const { sdp_signature_hex } = old.description(sdp);
    return answer({ success: true, sdp, type: "answer", ...(signs && { sdp_signature_hex }) });
  });
  const connectTo = (node: TestNode) =>
    old.post(node, "connection_request", old.request({ from_agent_url: url, features: [] }));
  return { ...old, frames, connectTo };
}

const MESSAGE = { method: "POST", path: "message", body: { n: 1 }, timeoutMs: SECOND_MS } as const;

test.each([true, false])(
  "a peer of the first generation, signing %s, hears messages where HTTP fails",
  async (signs) => {
    await using net = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
    const { ana } = net.nodes;
    const old = oldNode(net, signs);
    await old.connectTo(ana);
    for (let turn = 0; turn < 2; turn++) {
      const running = ana.job("transports.upgrade");
      await net.clock.advance(6 * SECOND_MS);
      await running;
    }
    expect(await shown(ana)).toMatchObject({ transport: "webrtc", connectivity_method: "direct" });
    expect(await ana.mesh.call(old.id, MESSAGE)).toMatchObject({ kind: "answered", way: "http" });
    net.internet.lose("request", { from: net.hosts.ana.name, to: old.host.name });
    expect(await ana.mesh.call(old.id, MESSAGE)).toMatchObject({ kind: "unconfirmed", way: "webrtc" });
    await net.settle();
    expect(old.frames).toEqual([{ path: "/__darkmatter__/message", payload: { n: 1 } }]);
    const update = { ...MESSAGE, path: "peer_update" };
    expect(await ana.mesh.call(old.id, update)).toMatchObject({ kind: "failed" });
    const long = { ...MESSAGE, body: { content: "x".repeat(16_400) } };
    expect(await ana.mesh.call(old.id, long)).toMatchObject({ kind: "failed" });
    expect(old.frames).toHaveLength(1);
  },
);

test("on a channel that a peer of the first generation offered we only listen", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
  const { ana } = net.nodes;
  const old = channelStranger(net, 99);
  await old.connectTo(ana, []);
  const line = await old.open(ana);
  net.internet.lose("request", { from: net.hosts.ana.name, to: old.host.name });
  expect(await ana.mesh.call(old.id, MESSAGE)).toMatchObject({ kind: "failed" });
  await net.settle();
  expect(line.heard).toEqual([]);
});

test("agents that hear each other's beacons meet over the local network where nothing else works", async () => {
  const lan = memoryLan();
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true, lan });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  for (const node of [ana, bo]) await node.job("discovery.lan");
  for (const node of [ana, bo]) await node.job("discovery.lan");
  await net.settle();
  cutHttp(net);
  await upgrade(net);
  expect(await shown(ana)).toMatchObject({ connectivity_level: 2, connectivity_method: "lan-webrtc" });
  expect(await shown(bo)).toMatchObject({ connectivity_level: 2, connectivity_method: "lan-webrtc" });
});

test("two agents that only an anchor reaches open a channel by it, and then talk without it", async () => {
  const anchors = ["http://5.6.7.250:5001"];
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    apart: true,
    webRtc: true,
    config: { anchors },
  });
  const { clock, internet } = net;
  await using anchor = await anchorHost({ clock, internet, random: seededRandom(9) });
  await net.connect("ana", "bo");
  cutHttp(net);
  const { ana, bo } = net.nodes;
  for (const node of [ana, bo]) await node.job("anchors.known");
  await net.settle();
  const [small, large] = ana.id < bo.id ? [ana, bo] : [bo, ana];
  const opening = small.job("transports.upgrade");
  await clock.advance(SECOND_MS);
  await large.job("anchors.poll");
  await clock.advance(10 * SECOND_MS);
  await opening;
  for (const node of [ana, bo]) {
    expect(await shown(node)).toMatchObject({ connectivity_level: 4, connectivity_method: "anchor-relay" });
  }
  using _gone = anchor.host.down();
  const status = { method: "GET", path: "status", timeoutMs: SECOND_MS } as const;
  expect(await ana.mesh.call(bo.id, status)).toMatchObject({ kind: "answered", way: "webrtc" });
});

test("a channel lost with its network is opened anew when the peer is there again", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await upgrade(net);
  const down = net.hosts.bo.down();
  await net.clock.advance(10 * SECOND_MS);
  expect(await shown(ana)).toMatchObject({ connectivity_level: 0, connectivity_method: "" });
  down[Symbol.dispose]();
  await upgrade(net);
  await upgrade(net);
  expect(await shown(ana)).toMatchObject({ transport: "webrtc" });
  expect(await shown(bo)).toMatchObject({ transport: "webrtc" });
});

test("a peer that was away for less than two minutes is offered a channel soon after it is heard", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await upgrade(net);
  const down = net.hosts.bo.down();
  await net.clock.advance(20 * SECOND_MS);
  // Twice, because the larger id leaves the first move to the other.
  for (let turn = 0; turn < 2; turn++) {
    const inVain = ana.job("transports.upgrade");
    await net.clock.advance(20 * SECOND_MS);
    await inVain;
  }
  down[Symbol.dispose]();
  const offered = async () => {
    const offering = ana.job("transports.upgrade");
    await net.clock.advance(SECOND_MS);
    await offering;
    return shown(ana);
  };
  expect(await offered()).not.toMatchObject({ transport: "webrtc" });
  const status = { method: "GET", path: "status", timeoutMs: SECOND_MS } as const;
  expect(await ana.mesh.call(bo.id, status)).toMatchObject({ way: "http" });
  await net.clock.advance(10 * SECOND_MS);
  expect(await offered()).toMatchObject({ transport: "webrtc" });
});

test.each([
  ["its new address", { remote: "192.168.7.11" }],
  ["an anchor", { remote: "0.0.0.0", headers: { via: "anchor" } }],
  ["another's channel", { remote: channelAddress("ab".repeat(32)) }],
])(
  "a peer that says from elsewhere where it is now loses its channel at once, and is reached there: from %s",
  async (_from, way) => {
    await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
    const { ana, bo } = net.nodes;
    await net.connect("ana", "bo");
    await upgrade(net);
    expect(await shown(ana)).toMatchObject({ transport: "webrtc" });
    const newUrl = "http://192.168.7.11:8200";
    const timestamp = isoTime(net.clock.now());
    const signature = signText(bo.signer, peerUpdateText({ agentId: bo.id, newUrl, timestamp }));
    const update = { agent_id: bo.id, new_url: newUrl, timestamp, public_key_hex: bo.id, signature };
    net.hosts.bo.listen(8200, bo.handler);
    const told = await ana.local({
      method: "POST",
      path: "/__darkmatter__/peer_update",
      body: update,
      ...way,
    });
    expect(told.status).toBe(200);
    expect(await shown(ana)).not.toMatchObject({ transport: "webrtc" });
    const status = { method: "GET", path: "status", timeoutMs: SECOND_MS } as const;
    expect(await ana.mesh.call(bo.id, status)).toMatchObject({
      kind: "answered",
      way: "http",
      repeated: false,
    });
  },
);

test("agents on one machine need no channel", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], webRtc: true });
  await net.connect("ana", "bo");
  await upgrade(net);
  expect(await shown(net.nodes.ana)).toMatchObject({ transport: "http" });
});
