import { isoTime, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { memoryNetwork, type Stranger, stranger, type TestNode } from "../testing.ts";

/** A connected agent of this machine that says where it is by hand. */
async function nodeAndPeer(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  const { ana } = net.nodes;
  const peer = stranger(net.clock, net.hosts.ana);
  await peer.post(ana, "connection_request", peer.request());
  peer.heard.splice(0);
  return { net, ana, peer };
}

function update(peer: Stranger, newUrl: string, atMs: number, fields: JsonObject = {}): JsonObject {
  const timestamp = isoTime(atMs);
  const text = peerUpdateText({ agentId: peer.id, newUrl, timestamp });
  const signature = text === undefined ? "" : signText(peer.signer, text);
  return { agent_id: peer.id, new_url: newUrl, timestamp, public_key_hex: peer.id, signature, ...fields };
}

const urlOf = async (node: TestNode) => {
  const { connections } = await node.tool("list_connections");
  return (connections as JsonObject[])[0]?.agent_url;
};

test("an update that is older than one that was taken moves nobody back", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  const now = net.clock.now();
  const stolen = update(peer, "http://127.0.0.1:9001", now);
  expect((await peer.post(ana, "peer_update", stolen)).status).toBe(200);
  expect(
    (await peer.post(ana, "peer_update", update(peer, "http://127.0.0.1:9002", now + 1000))).status,
  ).toBe(200);

  expect((await peer.post(ana, "peer_update", stolen)).status).toBe(403);

  expect(await urlOf(ana)).toBe("http://127.0.0.1:9002");
});

test("an update that is told again is taken, and changes nothing under the signature it came with", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  const now = net.clock.now();
  const first = update(peer, "http://127.0.0.1:9001", now, {
    bio: "its own",
    lan_ip: "192.168.1.7",
    local_port: 81,
  });
  expect((await peer.post(ana, "peer_update", first)).status).toBe(200);
  const told = () => ana.db.get("SELECT url, bio, display_name, addresses, lan_url FROM mesh_connections");
  const before = await told();

  expect((await peer.post(ana, "peer_update", first)).status).toBe(200);
  const altered = {
    ...first,
    bio: "another's",
    display_name: "Bank",
    lan_ip: "192.168.1.66",
    addresses: { http: "http://x" },
  };
  expect((await peer.post(ana, "peer_update", altered)).status).toBe(200);
  expect(await told()).toEqual(before);

  // Another address is another signature: the first generation may sign both within one tick of its clock.
  const elsewhere = update(peer, "http://127.0.0.1:9002", now);
  expect((await peer.post(ana, "peer_update", elsewhere)).status).toBe(200);
  expect(await told()).toMatchObject({ url: "http://127.0.0.1:9002" });
});

test("an address in a network of its own is kept only where it can be one", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  const lanOf = async (lan_ip: string, local_port: number) => {
    await net.clock.advance(SECOND_MS);
    const at = net.clock.now();
    const fields = { lan_ip, local_port };
    await peer.post(ana, "peer_update", update(peer, "http://127.0.0.1:9000", at, fields));
    return (await ana.db.get<{ lan_url: string | null }>("SELECT lan_url FROM mesh_connections"))?.lan_url;
  };
  expect(await lanOf("192.168.1.7", 8100)).toBe("http://192.168.1.7:8100");
  for (const [ip, port] of [
    ["127.0.0.1", 8100],
    ["169.254.169.254", 80],
    ["8.8.8.8", 8100],
    ["router", 80],
    ["192.168.1.7", 0],
    ["192.168.1.7", 70_000],
  ] as const) {
    expect(await lanOf(ip, port), `${ip}:${port}`).toBeNull();
  }
});

test("loopback addresses of another machine are kept under no name", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true });
  const { ana } = net.nodes;
  const peer = stranger(net.clock, net.hosts.ana, { url: "http://192.168.7.50:9000" });
  await peer.post(ana, "connection_request", peer.request(), "192.168.7.50");
  const tell = (url: string, addresses: JsonObject) =>
    peer.post(ana, "peer_update", update(peer, url, net.clock.now(), { addresses }), "192.168.7.50");
  expect((await tell("http://127.0.0.1:9000", {})).status).toBe(400);
  const given = { http: "http://192.168.7.50:9000", other: "http://localhost:22" };
  expect((await tell("http://192.168.7.50:9000", given)).status).toBe(200);
  const answer = await ana.local({ path: `/__darkmatter__/peer_lookup/${peer.id}` });
  expect(answer.json).toMatchObject({ addresses: { http: "http://192.168.7.50:9000" } });
  expect(JSON.stringify(answer.json)).not.toContain("localhost");
});

test("a peer that did not take it is told again after 5, 15 and 30 seconds, and then no more", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  peer.answers(() => [503]);
  await ana.tool("update_bio", { bio: "moved" });
  await net.settle();
  const toldAt: number[] = [];
  for (let second = 0; second < 120; second++) {
    const before = peer.heardAt("/peer_update").length;
    await net.clock.advance(SECOND_MS);
    await ana.job("peers.tell-again");
    if (peer.heardAt("/peer_update").length > before) toldAt.push(second + 1);
  }
  expect(toldAt).toEqual([5, 20, 50]);
  peer.answers(() => undefined);
  expect((await peer.post(ana, "message", peer.message())).status).toBe(200);
});

test.each([
  [200, 1],
  [400, 1],
  [404, 2],
  [429, 2],
])("a peer that answers %s is told %s time(s) within five seconds", async (status, times) => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  peer.answers(() => [status]);
  await ana.tool("update_bio", { bio: "moved" });
  await net.settle();
  await net.clock.advance(5 * SECOND_MS);
  await ana.job("peers.tell-again");
  expect(peer.heardAt("/peer_update")).toHaveLength(times);
});

test("a clock that is set back does not make a node unheard", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  await ana.tool("update_bio", { bio: "one" });
  await ana.tool("update_bio", { bio: "two" });
  await net.settle();
  const [first, second] = peer.heardAt("/peer_update").map(({ timestamp }) => Date.parse(String(timestamp)));
  expect(second).toBeGreaterThan(Number(first));
});

test("anchors are told as well, and again when they are silent", async () => {
  const { net, ana } = await nodeAndPeer({ anchors: ["http://127.0.0.1:5001"] });
  await using _net = net;
  const anchor = stranger(net.clock, net.hosts.ana, { port: 5001, seed: 77 });
  anchor.answers(() => [500]);
  await ana.tool("update_bio", { bio: "hello" });
  await net.settle();
  anchor.answers(() => [200, { success: true }]);
  await net.clock.advance(5 * SECOND_MS);
  await ana.job("peers.tell-again");
  await net.clock.advance(60 * SECOND_MS);
  await ana.job("peers.tell-again");
  const told = anchor.heardAt("/peer_update");
  expect(told).toHaveLength(2);
  expect(told[1]).toMatchObject({ agent_id: ana.id, bio: "hello", public_key_hex: ana.id });
});

test("where a peer of this machine is, is of no use to another machine, and told to none", async () => {
  const { net, ana, peer } = await nodeAndPeer();
  await using _net = net;
  const path = `/__darkmatter__/peer_lookup/${peer.id}`;
  expect((await ana.local({ path })).json).toMatchObject({ url: peer.url, status: "connected" });
  expect((await ana.local({ path, remote: "192.168.7.50" })).status).toBe(404);
});
