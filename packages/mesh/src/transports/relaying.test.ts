import { type JsonObject, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { channelStranger, signedOffer } from "../testing/channel-stranger.ts";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";

/** Ana and Bo cannot reach each other by HTTP; Carol, connected to both, can; Dan knows Ana alone. */
async function world() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "carol", "dan"], apart: true, webRtc: true });
  const { ana, bo, carol, dan } = net.nodes;
  for (const [one, other] of [
    ["ana", "bo"],
    ["ana", "carol"],
    ["bo", "carol"],
    ["dan", "ana"],
  ] as const) {
    await net.connect(one, other);
  }
  const [anaHost, boHost] = [net.hosts.ana.name, net.hosts.bo.name];
  net.internet.lose("request", { from: anaHost, to: boHost });
  net.internet.lose("request", { from: boHost, to: anaHost });

  async function upgrade(...all: TestNode[]) {
    for (const node of all) {
      await node.job("transports.upgrade");
      await net.clock.advance(6 * SECOND_MS);
    }
    for (const node of all) await node.job("transports.upgrade");
    await net.settle();
  }
  return { net, ana, bo, carol, dan, upgrade, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

const shown = async (node: TestNode, agentId: string) => {
  const { connections } = (await node.tool("list_connections")) as { connections: JsonObject[] };
  return connections.find(({ agent_id }) => agent_id === agentId);
};

const offerOf = async (w: Awaited<ReturnType<typeof world>>, node: TestNode) => {
  const { sdp } = (await w.net.channels?.on(w.net.hosts.ana).offer()) ?? { sdp: "" };
  return signedOffer(node.signer, sdp);
};

const relayed = (node: TestNode, from: string, target: string, offer: JsonObject | undefined) =>
  node.local({
    method: "POST",
    path: "/__darkmatter__/sdp_relay",
    body: { from_agent_id: from, target_agent_id: target, ...(offer && { offer_data: offer }) },
    remote: "192.168.7.77",
  });

test("two agents that cannot reach each other meet through one that knows both, and requests go the channel", async () => {
  await using w = await world();
  await w.upgrade(w.ana, w.bo);
  expect(await shown(w.ana, w.bo.id)).toMatchObject({
    connectivity_level: 3,
    connectivity_method: "peer-relay",
  });
  expect(await shown(w.bo, w.ana.id)).toMatchObject({
    connectivity_level: 3,
    connectivity_method: "peer-relay",
  });
  const request = { method: "GET", path: "status", timeoutMs: SECOND_MS } as const;
  const there = await w.ana.mesh.call(w.bo.id, request);
  expect(there).toMatchObject({ kind: "answered", way: "webrtc", answer: { body: { agent_id: w.bo.id } } });
  const back = await w.bo.mesh.call(w.ana.id, request);
  expect(back).toMatchObject({ kind: "answered", way: "webrtc", answer: { body: { agent_id: w.ana.id } } });
});

test("a relay brings an offer of one connection to another, and nothing else to nobody else", async () => {
  await using w = await world();
  const offer = await offerOf(w, w.ana);
  expect((await relayed(w.carol, w.ana.id, w.bo.id, undefined)).status).toBe(400);
  expect((await relayed(w.carol, w.ana.id, w.dan.id, offer)).status).toBe(404);
  expect((await relayed(w.carol, w.ana.id, w.ana.id, offer)).status).toBe(404);
  expect((await relayed(w.carol, w.dan.id, w.bo.id, await offerOf(w, w.dan))).status).toBe(403);
  expect((await relayed(w.carol, w.ana.id, w.bo.id, await offerOf(w, w.dan))).status).toBe(403);
  expect((await relayed(w.carol, w.bo.id, w.ana.id, offer)).status).toBe(403);
  const forged = { ...offer, sdp_signature_hex: "00".repeat(64) };
  expect((await relayed(w.carol, w.ana.id, w.bo.id, forged)).status).toBe(403);
  const { sdp_signature_hex, ...unsigned } = offer;
  expect(sdp_signature_hex).toBeDefined();
  expect((await relayed(w.carol, w.ana.id, w.bo.id, unsigned)).status).toBe(403);
  expect((await relayed(w.carol, w.ana.id, w.bo.id, { ...offer, fill: "x".repeat(300_000) })).status).toBe(
    413,
  );
  const answer = await relayed(w.carol, w.ana.id, w.bo.id, offer);
  expect(answer.json).toMatchObject({ type: "answer", public_key_hex: w.bo.id });
});

test("a relay posts to the address its own connection gave it, whatever the offer says", async () => {
  await using w = await world();
  const victim = channelStranger(w.net, 66);
  const urls = { url: victim.url, new_url: victim.url, agent_url: victim.url, relay_url: victim.url };
  const eve = channelStranger(w.net, 67);
  await eve.connectTo(w.carol);
  const offering = await eve.webRtc.offer();
  const offer = eve.description(offering.sdp, urls);
  const body = { from_agent_id: eve.id, target_agent_id: w.bo.id, offer_data: offer, ...urls };
  await eve.post(w.carol, "sdp_relay", body);
  await eve.post(w.carol, "sdp_relay", { ...body, target_agent_id: victim.id });
  await eve.post(w.carol, "sdp_relay", { ...body, target_agent_id: victim.url });
  await w.net.settle();
  expect(victim.heard).toEqual([]);
});

test("a relay carries at most 12 offers a minute of one peer", async () => {
  await using w = await world();
  const statuses: number[] = [];
  for (let count = 0; count < 14; count++) {
    statuses.push((await relayed(w.carol, w.ana.id, w.bo.id, await offerOf(w, w.ana))).status);
  }
  expect(statuses.slice(0, 12)).not.toContain(429);
  expect(statuses.slice(12)).toEqual([429, 429]);
});

test("what the target refuses is 502 to whoever asked, and so is a target that is gone", async () => {
  await using w = await world();
  await w.bo.tool("connection", { action: "block", agent_id: w.ana.id });
  const refused = await relayed(w.carol, w.ana.id, w.bo.id, await offerOf(w, w.ana));
  expect([refused.status, refused.json]).toEqual([502, { error: "Target returned 403" }]);
  using _down = w.net.hosts.bo.down();
  expect((await relayed(w.carol, w.ana.id, w.bo.id, await offerOf(w, w.ana))).status).toBe(502);
});

/** A relay that puts itself at the other end. */
async function falseRelay(w: Awaited<ReturnType<typeof world>>, kind: string) {
  const eve = channelStranger(w.net, 67);
  const heard: string[] = [];
  eve.host.listen(9001, async ({ path, body }) => {
    heard.push(path);
    const answer = (value: object) => ({ status: 200, headers: {}, body: JSON.stringify(value) });
    if (!path.endsWith("/sdp_relay")) return answer({});
    const { offer_data } = JSON.parse(Buffer.from(body).toString("utf8")) as { offer_data: JsonObject };
    const { sdp } = await eve.webRtc.answer(String(offer_data.sdp_offer));
    const own = eve.description(sdp);
    if (kind === "unsigned") return answer({ success: true, sdp, type: "answer" });
    if (kind === "signed by itself") return answer({ success: true, sdp, ...own });
    const { sdp_signature_hex } = own;
    return answer({ success: true, sdp, sdp_signature_hex, agent_id: w.bo.id, public_key_hex: w.bo.id });
  });
  const url = "http://192.168.7.67:9001";
  await eve.post(w.ana, "connection_request", eve.request({ from_agent_url: url, features: ["channel/1"] }));
  return heard;
}

test.each(["unsigned", "signed by itself", "signed by itself in the other's name"])(
  "a relay that answers for the other, %s, opens nothing; an honest one does",
  async (kind) => {
    await using w = await world();
    const heard = await falseRelay(w, kind);
    const down = w.net.hosts.carol.down();
    for (let turn = 0; turn < 2; turn++) {
      const running = w.ana.job("transports.upgrade");
      await w.net.clock.advance(60 * SECOND_MS);
      await running;
    }
    expect(heard).toContain("/__darkmatter__/sdp_relay");
    expect(await shown(w.ana, w.bo.id)).not.toMatchObject({ transport: "webrtc" });
    down[Symbol.dispose]();
    for (let turn = 0; turn < 4; turn++) {
      const running = [w.ana.job("transports.upgrade"), w.bo.job("transports.upgrade")];
      await w.net.clock.advance(120 * SECOND_MS);
      await Promise.all(running);
    }
    expect(await shown(w.ana, w.bo.id)).toMatchObject({ connectivity_method: "peer-relay" });
  },
);

test("an attempt that came before its relay was there is made again as soon as that is", async () => {
  await using w = await world();
  const down = w.net.hosts.carol.down();
  const attempt = async () => {
    const running = [w.ana.job("transports.upgrade"), w.bo.job("transports.upgrade")];
    await w.net.clock.advance(20 * SECOND_MS);
    await Promise.all(running);
    await w.net.settle();
  };
  await attempt();
  await attempt();
  expect(await shown(w.ana, w.bo.id)).not.toMatchObject({ transport: "webrtc" });
  down[Symbol.dispose]();
  // Carol comes back and opens a channel; nothing else says that she could carry offers again.
  const running = w.carol.job("transports.upgrade");
  await w.net.clock.advance(6 * SECOND_MS);
  await running;
  await w.carol.job("transports.upgrade");
  await w.net.settle();
  expect(await shown(w.ana, w.carol.id)).toMatchObject({ transport: "webrtc" });
  await attempt();
  expect(await shown(w.ana, w.bo.id)).toMatchObject({ connectivity_method: "peer-relay" });
});
