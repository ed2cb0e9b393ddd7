import { type JsonObject, SECOND_MS } from "@darkmatter/core";
import { memoryLan } from "@darkmatter/net/testing";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { ANSWERS_WAIT_MS } from "./discovery.ts";
import { DISCOVERED_LIFETIME_MS } from "./sightings.ts";

const PORTS = Array.from({ length: 20 }, (_, at) => 8100 + at);

test("a scan finds the other agents of this machine, and not ourselves", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], config: { discoveryPorts: PORTS } });
  const { ana, bo, cy } = net.nodes;
  await bo.tool("update_bio", { bio: "knows chess" });
  await cy.tool("set_status", { status: "inactive" });
  const found = await ana.tool("discover_local");
  expect(found).toMatchObject({
    discovery_enabled: true,
    total: 2,
    peers: [
      {
        agent_id: bo.id,
        url: bo.url,
        bio: "knows chess",
        status: "active",
        accepting: true,
        source: "local",
      },
      { agent_id: cy.id, url: cy.url, status: "inactive" },
    ],
    peer_words: expect.any(String),
  });
});

test("what answers but is no agent is not listed", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: { discoveryPorts: [9000] } });
  const { ana } = net.nodes;
  const odd = stranger(net.clock, net.hosts.ana);
  const total = async () => (await ana.tool("discover_local")).total;
  const documents: Array<[number, unknown]> = [
    [200, {}],
    [200, []],
    [200, { darkmatter: true }],
    [200, { darkmatter: true, agent_id: "x" }],
    [200, { darkmatter: true, agent_id: odd.id.toUpperCase() }],
    [200, { darkmatter: true, agent_id: `01${"00".repeat(31)}` }],
    [200, { darkmatter: "true", agent_id: odd.id }],
    [200, { darkmatter: true, agent_id: ana.id }],
    [404, { darkmatter: true, agent_id: odd.id }],
  ];
  for (const [status, body] of documents) {
    odd.answers(() => [status, body as JsonObject]);
    expect(await total(), JSON.stringify(body)).toBe(0);
  }
  odd.answers(() => [200, { darkmatter: true, agent_id: odd.id, bio: "b".repeat(5000), status: 7 }]);
  expect(await ana.tool("discover_local")).toMatchObject({
    peers: [{ bio: "b".repeat(250), status: "active", accepting: false }],
  });
});

test("an agent that is not seen for ninety seconds disappears", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: { discoveryPorts: [9000] } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  bo.answers(() => [200, { darkmatter: true, agent_id: bo.id }]);
  await ana.job("discovery.local");
  bo.answers(() => [500, {}]);
  await net.clock.advance(DISCOVERED_LIFETIME_MS);
  expect((await ana.tool("discover_local")).total).toBe(1);
  await net.clock.advance(SECOND_MS);
  expect((await ana.tool("discover_local")).total).toBe(0);
});

test("discovery that is off scans nothing and says so", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana"],
    config: { discovery: false, discoveryPorts: [9000] },
  });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  expect(await ana.tool("discover_local")).toMatchObject({ discovery_enabled: false, total: 0, peers: [] });
  expect(bo.heard).toEqual([]);
  expect(ana.mesh.jobs.filter(({ name }) => name.startsWith("discovery."))).toEqual([]);
});

test("a fresh look finds a quiet agent of the local network, by its beacon alone", async () => {
  const lan = memoryLan();
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, lan });
  const { ana, bo } = net.nodes;
  await bo.job("discovery.lan");
  await net.clock.advance(20 * SECOND_MS);
  const looking = ana.tool("discover_local");
  await net.clock.advance(ANSWERS_WAIT_MS);
  expect(await looking).toMatchObject({
    total: 1,
    peers: [{ agent_id: bo.id, url: bo.url, status: "active", accepting: true, source: "lan" }],
    next_step: expect.not.stringContaining("--lan"),
  });
  expect(await ana.tool("connection", { action: "request", target_url: bo.url })).toMatchObject({
    success: true,
  });
});

test("beacons follow a new bio and a new name at once", async () => {
  const lan = memoryLan();
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true, lan });
  const { ana } = net.nodes;
  const heard: JsonObject[] = [];
  const group = { address: "239.77.68.77", port: 8470, ttl: 2 };
  await lan
    .multicastOf({ address: () => "192.168.7.99" })
    .join(group, ({ bytes }) => void heard.push(JSON.parse(Buffer.from(bytes).toString()) as JsonObject));
  await ana.tool("update_bio", { bio: "knows chess" });
  await net.settle();
  expect(heard).toMatchObject([{ agent_id: ana.id, bio: "knows chess", display_name: "ana" }]);
  await ana.mesh.stop();
  await net.clock.advance(31 * SECOND_MS);
  await ana.job("discovery.lan");
  await net.settle();
  expect(heard).toHaveLength(1);
});

test("at the addresses of the network where an agent was heard the usual ports are asked too", async () => {
  const lan = memoryLan();
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, lan });
  const { ana, bo } = net.nodes;
  const quiet = stranger(net.clock, net.hosts.bo, { port: 8200 });
  quiet.answers(() => [200, { darkmatter: true, agent_id: quiet.id }]);
  const liar = stranger(net.clock, net.hosts.bo, { port: 8100, seed: 201 });
  liar.answers(() => [200, { darkmatter: true, agent_id: bo.id, bio: "I am somebody else" }]);
  await ana.job("discovery.lan");
  await ana.job("discovery.local");
  expect(quiet.heard).toEqual([]);
  await bo.job("discovery.lan");
  await net.settle();
  await ana.job("discovery.local");
  const looking = ana.tool("discover_local");
  await net.clock.advance(ANSWERS_WAIT_MS);
  const { peers } = (await looking) as { peers: JsonObject[] };
  expect(liar.heard).not.toEqual([]);
  expect(peers.map(({ agent_id: id, url }) => [id, url])).toEqual([
    [bo.id, bo.url],
    [quiet.id, `http://${net.hosts.bo.address}:8200`],
  ]);
});

test("a node that only this machine reaches says how to be found by others", async () => {
  const lan = memoryLan();
  await using net = await memoryNetwork({ nodes: ["ana"], lan });
  expect(await net.nodes.ana.tool("discover_local")).toMatchObject({
    next_step: expect.stringContaining("darkmatter up --lan"),
  });
});

/** A node, and a web server far away whose handler the test gives. */
async function nodeAndSite() {
  const net = await memoryNetwork({ nodes: ["ana"], apart: "public" });
  const host = net.internet.host({ address: "5.6.7.50", names: ["site.example"] });
  const { ana } = net.nodes;
  const document = { darkmatter: true, agent_id: "ab".repeat(32), bio: "found" };
  const look = (domain: string) => ana.tool("discover_domain", { domain });
  const asked: string[] = [];
  const serve = (on: typeof host, port: number, answer: () => [number, JsonObject | string, string?]) =>
    on.listen(port, async ({ path }) => {
      asked.push(`${port}${path}`);
      const [status, body, location] = answer();
      const headers: Record<string, string> = location ? { location } : {};
      return { status, headers, body: typeof body === "string" ? body : JSON.stringify(body) };
    });
  return { net, host, document, look, serve, asked };
}

test("a domain is asked by https first, and by http when that cannot be reached", async () => {
  const { net, host, document, look, serve, asked } = await nodeAndSite();
  await using _ = net;
  serve(host, 80, () => [200, document]);
  expect(await look("site.example")).toMatchObject({ found: true, ...document });
  expect(asked).toEqual(["80/.well-known/darkmatter.json"]);
  serve(host, 443, () => [200, { ...document, bio: "secure" }]);
  expect(await look("site.example")).toMatchObject({ found: true, bio: "secure" });
  expect(await look("http://site.example/mcp")).toMatchObject({ found: true, bio: "found" });
});

test("a domain without an agent, or with nonsense, is told so", async () => {
  const { net, host, look, serve } = await nodeAndSite();
  await using _ = net;
  expect(await look("nobody.example")).toMatchObject({ found: false, error: expect.any(String) });
  const bodies: Array<JsonObject | string> = [
    {},
    "<html>",
    "[".repeat(60_000),
    { darkmatter: true, agent_id: 7 },
  ];
  let body: JsonObject | string = "";
  serve(host, 443, () => [200, body]);
  for (body of bodies) expect(await look("site.example")).toMatchObject({ found: false });
  for (const odd of ["", "ftp://site.example", "user:secret@site.example", "site.example:99999", "a b"]) {
    const result = await look(odd);
    expect(result.found === false || result.success === false, odd).toBe(true);
  }
});

test("a redirect is followed to a public address, and to no other", async () => {
  const { net, host, document, look, serve } = await nodeAndSite();
  await using _ = net;
  const inside = net.internet.host({ address: "10.0.0.5", names: ["inside.example"] });
  const away = net.internet.host({ address: "5.6.7.51", names: ["away.example"] });
  serve(inside, 80, () => [200, document]);
  serve(away, 80, () => [200, document]);
  let location = "";
  serve(host, 443, () => [302, "", location]);
  for (location of [
    "http://10.0.0.5/",
    "http://inside.example/",
    "http://127.0.0.1/",
    "http://169.254.169.254/latest",
    "http://localhost:8100/",
  ]) {
    expect(await look("site.example"), location).toMatchObject({ found: false });
  }
  location = "http://away.example/.well-known/darkmatter.json";
  expect(await look("site.example")).toMatchObject({ found: true, bio: "found" });
});
