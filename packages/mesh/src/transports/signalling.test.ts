import type { JsonObject } from "@darkmatter/core";
import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { type ChannelStranger, channelStranger, listen, signedOffer } from "../testing/channel-stranger.ts";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";

async function world() {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
  const eve = channelStranger(net, 99);
  await eve.connectTo(net.nodes.ana);
  return { net, ...net.nodes, eve, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

const methodTo = async (node: TestNode, agentId: string) => {
  const { connections } = (await node.tool("list_connections")) as { connections: JsonObject[] };
  return connections.find(({ agent_id }) => agent_id === agentId)?.connectivity_method;
};

test("a node without channels says so, and one that has them says that", async () => {
  await using bare = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = bare.nodes;
  const answer = await ana.local({ method: "POST", path: "/__darkmatter__/webrtc_offer", body: {} });
  expect(answer.status).toBe(501);
  const document = await ana.local({ path: "/.well-known/darkmatter.json" });
  expect(document.json).toMatchObject({
    webrtc_enabled: false,
    features: expect.arrayContaining(["channel/1"]),
  });
  await using able = await memoryNetwork({ nodes: ["ana"], apart: true, webRtc: true });
  const other = await able.nodes.ana.local({ path: "/.well-known/darkmatter.json" });
  expect(other.json).toMatchObject({ webrtc_enabled: true });
  expect(await able.nodes.ana.tool("get_identity")).toMatchObject({ webrtc_enabled: true });
});

test("an offer is taken under either set of names, and its answer is signed", async () => {
  await using w = await world();
  for (const names of ["one", "other"]) {
    const { sdp } = await w.eve.webRtc.offer();
    const { from_agent_id, sdp_offer, ...signature } = w.eve.description(sdp);
    const other = { agent_id: from_agent_id, sdp: sdp_offer, type: "offer", ...signature };
    const offer = names === "one" ? w.eve.description(sdp) : other;
    const answer = await w.eve.post(w.ana, "webrtc_offer", offer);
    expect(answer.json).toMatchObject({ success: true, type: "answer", public_key_hex: w.ana.id });
    const { sdp: one, sdp_answer, sdp_signature_hex } = answer.json as JsonObject;
    expect(sdp_answer).toBe(one);
    expect(sdp_signature_hex).toBe(signedOffer(w.ana.signer, String(one)).sdp_signature_hex);
  }
});

test.each([
  [
    "without a description",
    400,
    (sdp: string, eve: ChannelStranger) => ({ ...eve.description(sdp), sdp_offer: "" }),
  ],
  [
    "whose names contradict each other",
    400,
    (sdp: string, eve: ChannelStranger) => eve.description(sdp, { sdp: "x" }),
  ],
  [
    "that is not signed",
    403,
    (sdp: string, eve: ChannelStranger) => ({ from_agent_id: eve.id, sdp_offer: sdp }),
  ],
  [
    "signed over another text",
    403,
    (sdp: string, eve: ChannelStranger) => ({ ...eve.description(`${sdp}a=x\r\n`), sdp_offer: sdp }),
  ],
  [
    "under another's key",
    403,
    (sdp: string, eve: ChannelStranger) => eve.description(sdp, { public_key_hex: "ab".repeat(32) }),
  ],
  [
    "of more than 64 KiB",
    413,
    (sdp: string, eve: ChannelStranger) => eve.description(sdp + "a=x\r\n".repeat(14_000)),
  ],
  ["of 1 MiB", 413, (sdp: string, eve: ChannelStranger) => eve.description(sdp.padEnd(1024 * 1024, "x"))],
])("an offer %s is refused", async (_what, status, make) => {
  await using w = await world();
  const { sdp } = await w.eve.webRtc.offer();
  const answer = await w.eve.post(w.ana, "webrtc_offer", make(sdp, w.eve));
  expect(answer.status).toBe(status);
  expect(await methodTo(w.ana, w.eve.id)).toBe("");
});

test("an agent that is not connected gets no answer, also through a relay and in another's name", async () => {
  await using w = await world();
  const mallory = channelStranger(w.net, 98);
  const { sdp } = await mallory.webRtc.offer();
  const own = mallory.description(sdp);
  expect((await mallory.post(w.ana, "webrtc_offer", own)).status).toBe(403);
  const deliver = (from: string, offer: JsonObject) =>
    mallory.post(w.ana, "sdp_relay_deliver", {
      from_agent_id: from,
      offer_data: offer,
      relay_agent_id: w.eve.id,
    });
  expect((await deliver(mallory.id, own)).status).toBe(403);
  expect((await deliver(w.eve.id, own)).status).toBe(403);
  expect((await deliver(w.eve.id, { ...own, from_agent_id: w.eve.id })).status).toBe(403);
  expect((await deliver(w.eve.id, { from_agent_id: w.eve.id, sdp_offer: sdp })).status).toBe(403);
  const eves = w.eve.description((await w.eve.webRtc.offer()).sdp);
  expect((await deliver(mallory.id, eves)).status).toBe(403);
  expect((await mallory.post(w.ana, "sdp_relay_deliver", { from_agent_id: w.eve.id })).status).toBe(400);
});

test("an offer that was used is refused; while it is being answered, every relay hears the same", async () => {
  await using w = await world();
  const offering = await w.eve.webRtc.offer();
  const offer = w.eve.description(offering.sdp);
  const deliver = () =>
    w.eve.post(w.ana, "sdp_relay_deliver", {
      from_agent_id: w.eve.id,
      offer_data: offer,
      relay_agent_id: w.bo.id,
    });
  const [one, other] = await Promise.all([deliver(), deliver()]);
  expect(one.status).toBe(200);
  expect(other.json).toEqual(one.json);
  await offering.accept(String((one.json as JsonObject).sdp));
  await w.net.settle();
  expect((await deliver()).status).toBe(403);
  expect((await w.eve.post(w.ana, "webrtc_offer", offer)).status).toBe(403);
});

test("an offer that cannot be answered is 500 and changes nothing", async () => {
  await using w = await world();
  const answer = await w.eve.post(w.ana, "webrtc_offer", w.eve.description("v=0\r\nnonsense"));
  expect(answer.status).toBe(500);
  expect(await methodTo(w.ana, w.eve.id)).toBe("");
});

test("a peer that offers again and again is told to wait", async () => {
  await using w = await world();
  const statuses: number[] = [];
  for (let count = 0; count < 14; count++) {
    const { sdp } = await w.eve.webRtc.offer();
    statuses.push((await w.eve.post(w.ana, "webrtc_offer", w.eve.description(sdp))).status);
  }
  expect(statuses.filter((status) => status === 200)).toHaveLength(12);
  expect(statuses.slice(12)).toEqual([429, 429]);
});

test("a new offer replaces a channel once it is open, and not before", async () => {
  await using w = await world();
  const first = await w.eve.open(w.ana);
  await w.net.settle();
  const offering = await w.eve.webRtc.offer();
  const answer = await w.eve.post(w.ana, "webrtc_offer", w.eve.description(offering.sdp));
  await w.net.settle();
  expect(first.channel.isOpen).toBe(true);
  const second = listen(await offering.accept(String((answer.json as JsonObject).sdp)));
  await w.net.settle();
  expect([first.channel.isOpen, second.channel.isOpen]).toEqual([false, true]);
  expect(await methodTo(w.ana, w.eve.id)).toBe("direct");
});

test("of two offers that cross, the smaller id's is kept, and one channel comes of them", async () => {
  await using w = await world();
  await w.net.connect("ana", "bo");
  const [small, large] = w.ana.id < w.bo.id ? [w.ana, w.bo] : [w.bo, w.ana];
  w.net.internet.latency(200);
  const jobs = [small.job("transports.upgrade")];
  await w.net.clock.advance(6 * SECOND_MS);
  jobs.push(large.job("transports.upgrade"));
  await w.net.clock.advance(MINUTE_MS);
  await Promise.all(jobs);
  expect(await methodTo(small, large.id)).toBe("direct");
  expect(await methodTo(large, small.id)).toBe("direct");
});

test("while its own offer is on the way, the smaller id refuses the other's; the larger answers it", async () => {
  await using w = await world();
  const strangers = Array.from({ length: 12 }, (_, at) => channelStranger(w.net, 120 + at));
  const [smaller] = strangers.filter(({ id }) => id < w.ana.id);
  const [larger, another] = strangers.filter(({ id }) => id > w.ana.id);
  if (!smaller || !larger || !another) throw new Error("ids on one side only");
  const statusOf = async (peer: ChannelStranger, underWayMs: number) => {
    await peer.connectTo(w.ana);
    // The larger id makes its first move after 5 s.
    if (peer.id < w.ana.id) await w.net.clock.advance(6 * SECOND_MS);
    const job = w.ana.job("transports.upgrade");
    await w.net.clock.advance(underWayMs);
    const { sdp } = await peer.webRtc.offer();
    const { status } = await peer.post(w.ana, "webrtc_offer", peer.description(sdp));
    await w.net.clock.advance(2 * MINUTE_MS);
    await job;
    return status;
  };
  w.net.internet.latency(7 * SECOND_MS);
  expect(await statusOf(larger, 2 * SECOND_MS)).toBe(409);
  expect(await statusOf(smaller, 2 * SECOND_MS)).toBe(200);
  // What has not arrived for so long may never do.
  expect(await statusOf(another, 4 * SECOND_MS)).toBe(200);
});

test.each([
  [501, 59],
  [403, 2],
])("a peer that answers %i is not offered a channel again for %i minutes", async (status, minutes) => {
  await using w = await world();
  const eves = () => w.eve.heardAt("/webrtc_offer").length;
  w.eve.answers(({ path }) => (path.endsWith("/webrtc_offer") ? [status] : undefined));
  const pass = async (forMs: number) => {
    for (let passedMs = 0; passedMs < forMs; passedMs += 5 * SECOND_MS) {
      const running = w.ana.job("transports.upgrade");
      await w.net.clock.advance(5 * SECOND_MS);
      await running;
    }
  };
  await pass(20 * SECOND_MS);
  expect(eves()).toBe(1);
  await pass((minutes - 1) * MINUTE_MS);
  expect(eves()).toBe(1);
  await pass(2 * MINUTE_MS);
  expect(eves()).toBe(2);
});

test("what opens while a node stops is closed", async () => {
  await using w = await world();
  const offering = await w.eve.webRtc.offer();
  const answer = await w.eve.post(w.ana, "webrtc_offer", w.eve.description(offering.sdp));
  const opening = offering.accept(String((answer.json as JsonObject).sdp)).catch(() => undefined);
  const stopping = w.ana.mesh.stop();
  await w.net.clock.advance(20 * SECOND_MS);
  await stopping;
  expect((await opening)?.isOpen ?? false).toBe(false);
  expect(w.ana.reports).toEqual([]);
});
