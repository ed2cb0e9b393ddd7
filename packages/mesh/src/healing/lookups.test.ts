import { isoTime, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { type MemoryNetwork, memoryNetwork, type Stranger, stranger, type TestNode } from "../testing.ts";
import { mayBeBelieved, ranked } from "./consensus.ts";

const GONE = "http://127.0.0.1:9999";

/** Bo is not where ana knows it to be; it listens at port 9000. */
async function movedPeer(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana, { url: GONE, port: 9000 });
  await bo.post(ana, "connection_request", bo.request());
  bo.answers(documentOf(bo.id));
  return { net, ana, bo };
}

const documentOf = (id: string) => (request: { path: string }) =>
  request.path === "/.well-known/darkmatter.json"
    ? ([200, { darkmatter: true, agent_id: id }] as const)
    : undefined;

/** A connected agent that says where bo is. */
async function witness(
  net: MemoryNetwork<"ana">,
  at: number,
  says: unknown,
  score?: number,
): Promise<Stranger> {
  const one = stranger(net.clock, net.hosts.ana, { port: 9100 + at, seed: 100 + at });
  await one.post(net.nodes.ana, "connection_request", one.request());
  one.answers(({ path }) =>
    path.includes("/peer_lookup/") ? [200, { url: says } as JsonObject] : undefined,
  );
  if (score !== undefined) await net.nodes.ana.tool("set_impression", { agent_id: one.id, score });
  return one;
}

/** Somebody at a port whose document names an agent. */
function place(net: MemoryNetwork<"ana">, port: number, names: string): string {
  stranger(net.clock, net.hosts.ana, { port, seed: port % 250 }).answers(documentOf(names));
  return `http://127.0.0.1:${port}`;
}

/** Something is said to every peer, bo among them. */
async function speak(net: MemoryNetwork<"ana">): Promise<void> {
  await net.nodes.ana.tool("update_bio", { bio: "still here" });
  await net.settle();
}

async function urlOf(ana: TestNode, id: string): Promise<string> {
  const { connections } = await ana.tool("list_connections");
  return String((connections as JsonObject[]).find(({ agent_id }) => agent_id === id)?.agent_url);
}

test("a peer that cannot be reached is looked for, stored where it is, and told where we are", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  await witness(net, 1, "http://127.0.0.1:9000/mcp");
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
  expect(bo.heardAt("/peer_update")).toMatchObject([{ agent_id: ana.id, new_url: ana.url }]);
});

test("what others say is believed only where the document there names the agent", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  const other = place(net, 9005, ana.id);
  await witness(net, 1, other);
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe(GONE);
});

test("a majority we trust little is outweighed by one we trust", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  // The liars' place hands out bo's own document, so that only their weight is against it.
  const trap = place(net, 9006, bo.id);
  await witness(net, 1, trap, 0.2);
  await witness(net, 2, trap, 0.1);
  await witness(net, 3, trap, -1);
  await witness(net, 4, "http://127.0.0.1:9000", 0.9);
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
});

test("liars that win the count delay the truth, and do not keep it away", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  await witness(net, 1, "http://127.0.0.1:9777", 0.9);
  await witness(net, 2, "http://127.0.0.1:9000");
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
});

test("answers that are no address, too large, or about another agent count for nothing", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  const answers = [
    7,
    "javascript:alert(1)",
    "http://169.254.169.254/latest",
    `http://127.0.0.1:9000/?${"x".repeat(100_000)}`,
    "http://user:word@127.0.0.1:9000",
  ];
  for (const [at, says] of answers.entries()) await witness(net, at, says, 1);
  const wrong = await witness(net, 20, "", 1);
  wrong.answers(() => [200, { agent_id: ana.id, url: "http://127.0.0.1:9000" }]);
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe(GONE);
  expect(bo.heard).toEqual([]);
});

test("without anybody to ask, a moved peer of this machine is found by looking round", async () => {
  const { net, ana, bo } = await movedPeer({ discoveryPorts: [9000, 9001] });
  await using _net = net;
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
});

test("anchors are asked when no peer knows, and believed no more than peers", async () => {
  const { net, ana, bo } = await movedPeer({ anchors: ["http://127.0.0.1:5001"] });
  await using _net = net;
  const anchor = stranger(net.clock, net.hosts.ana, { port: 5001, seed: 51 });
  anchor.answers(({ path }) =>
    path.includes("/peer_lookup/") ? [200, { agent_id: bo.id, url: "http://127.0.0.1:9000" }] : undefined,
  );
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
});

test("one peer is looked for at most every five seconds, however often it is written to", async () => {
  const { net } = await movedPeer();
  await using _net = net;
  const one = await witness(net, 1, "http://127.0.0.1:9777");
  const asked = () => one.heard.filter(({ path }) => path.includes("/peer_lookup/")).length;
  await speak(net);
  await speak(net);
  expect(asked()).toBe(1);
  await net.clock.advance(5 * SECOND_MS);
  await speak(net);
  expect(asked()).toBeGreaterThan(1);
  expect(asked()).toBeLessThan(4);
});

test("a peer that says where it is while a message goes to where it was has it at once", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  const moved = () => {
    const timestamp = isoTime(net.clock.now());
    const text = peerUpdateText({ agentId: bo.id, newUrl: "http://127.0.0.1:9000", timestamp }) ?? "";
    return {
      agent_id: bo.id,
      new_url: "http://127.0.0.1:9000",
      timestamp,
      signature: signText(bo.signer, text),
    };
  };
  // The old place takes the message and never answers.
  net.hosts.ana.listen(9999, async () => {
    await bo.post(ana, "peer_update", moved());
    return new Promise(() => undefined);
  });
  const sending = ana.tool("send_message", { content: "hello", target_agent_id: bo.id });
  await net.clock.advance(5 * SECOND_MS);
  await net.settle();
  expect(bo.heardAt("/message")).toHaveLength(1);
  await net.clock.advance(5 * SECOND_MS);
  await sending;
});

test("a peer whose port another agent got is found, and has the message", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  await bo.post(ana, "connection_request", bo.request({ features: ["ids25h/1"] }));
  await witness(net, 1, "http://127.0.0.1:9000");
  const other = stranger(net.clock, net.hosts.ana, { port: 9999, seed: 77 });
  other.answers(({ path }) => (path.endsWith("/status") ? [200, { agent_id: other.id }] : [403]));
  await ana.tool("send_message", { content: "hello", target_agent_id: bo.id });
  await net.settle();
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
  expect(bo.heardAt("/message")).toHaveLength(1);
});

test("an update caught before a peer was found elsewhere does not lead back", async () => {
  const { net, ana, bo } = await movedPeer();
  await using _net = net;
  const timestamp = isoTime(net.clock.now());
  const text = peerUpdateText({ agentId: bo.id, newUrl: GONE, timestamp }) ?? "";
  const caught = { agent_id: bo.id, new_url: GONE, timestamp, signature: signText(bo.signer, text) };
  expect((await bo.post(ana, "peer_update", caught)).status).toBe(200);
  await net.settle();
  await witness(net, 1, "http://127.0.0.1:9000");
  await speak(net);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
  expect((await bo.post(ana, "peer_update", caught)).status).toBe(403);
  expect(await urlOf(ana, bo.id)).toBe("http://127.0.0.1:9000");
});

test.each([
  ["http://127.0.0.1:8100", "http://127.0.0.1:8101", true],
  ["http://127.0.0.1:8100", "http://192.168.1.5:8100", false],
  ["http://localhost:8100", "https://peer.example", false],
  ["http://192.168.1.9:8100", "http://192.168.1.5:8100", true],
  ["http://192.168.1.1:80", "http://5.6.7.8:8100", false],
  ["http://10.0.0.1:8100", "https://peer.example", false],
  ["http://169.254.169.254", "http://127.0.0.1:8100", false],
  ["http://224.0.0.1:80", "http://127.0.0.1:8100", false],
  ["http://5.6.7.9:8100", "http://5.6.7.8:8100", true],
  ["https://peer.example", "http://5.6.7.8:8100", true],
  ["ftp://5.6.7.9", "http://127.0.0.1:8100", false],
])("%s told by somebody at %s may be looked at: %s", (url, teller, may) => {
  expect(mayBeBelieved(url, teller)).toBe(may);
});

test("weights are summed for each place, however it is written; of equals the first", () => {
  const opinion = (url: string, weight: number) => ({ url, weight });
  const none = new Set<string>();
  expect(
    ranked([opinion("http://a", 0.5), opinion("http://b/mcp", 0.3), opinion("http://b/", 0.3)], none),
  ).toEqual(["http://b", "http://a"]);
  expect(ranked([opinion("http://a", 0.5), opinion("http://b", 0.5)], none)).toEqual([
    "http://a",
    "http://b",
  ]);
  expect(ranked([opinion("http://a/mcp", 0.5)], new Set(["http://a"]))).toEqual([]);
});
