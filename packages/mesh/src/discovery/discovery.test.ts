import { type JsonObject, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
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
  expect(ana.mesh.jobs.map(({ name }) => name)).not.toContain("discovery.local");
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
