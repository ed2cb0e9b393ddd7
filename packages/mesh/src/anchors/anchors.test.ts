import { isoTime, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { peerUpdateText, sealEnvelope, signText } from "@darkmatter/identity";
import type { Handler } from "@darkmatter/net";
import { describe, expect, test } from "vitest";
import { FEATURES } from "../connections/connection.ts";
import { type AnchorHost, anchorHost } from "../testing/anchor-host.ts";
import { type MemoryNetwork, memoryNetwork, type TestNode } from "../testing/memory-network.ts";

const ANCHOR = "http://5.6.7.250:5001";
type Pair = MemoryNetwork<"ana" | "bo">;

/** Where each says that it is: the router it stands behind, which lets nobody in. */
const ROUTER = { ana: "http://5.6.7.10:8100", bo: "http://5.6.7.11:8101" } as const;

interface Hidden extends AsyncDisposable {
  readonly net: Pair;
  readonly ana: TestNode;
  readonly bo: TestNode;
  readonly anchor: AnchorHost;
  /** Both ask the anchor, as they do every 5 s. */
  poll(): Promise<void>;
}

async function acquaint(one: TestNode, other: TestNode, url: string): Promise<void> {
  const connection = {
    agent_id: other.id,
    agent_url: url,
    agent_bio: "",
    agent_display_name: null,
    agent_public_key_hex: other.id,
    connected_at: "2026-03-01T00:00:00+00:00",
    features: FEATURES,
  };
  const file = { agent_id: one.id, display_name: "x", bio: "y", connections: { [other.id]: connection } };
  await one.db.write((tx) => one.mesh.stateFiles.load(tx, JSON.stringify(file)));
}

/** Two nodes in two networks, connected once, with an anchor both reach and no way between them. */
async function hidden(anchors: readonly string[] = [ANCHOR]): Promise<Hidden> {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, config: { anchors } });
  const { clock, internet, nodes } = net;
  const { ana, bo } = nodes;
  const anchor = await anchorHost({ clock, internet, random: seededRandom(9) });
  const apart = internet.partition(net.hosts.ana.name, net.hosts.bo.name);
  await acquaint(ana, bo, ROUTER.bo);
  await acquaint(bo, ana, ROUTER.ana);
  for (const node of [ana, bo]) await node.job("anchors.known");
  await net.settle();
  return {
    net,
    ana,
    bo,
    anchor,
    async poll() {
      await clock.advance(5 * SECOND_MS);
      for (const node of [ana, bo]) await node.job("anchors.poll");
      await net.settle();
    },
    async [Symbol.asyncDispose]() {
      apart[Symbol.dispose]();
      await net[Symbol.asyncDispose]();
      await anchor[Symbol.asyncDispose]();
    },
  };
}

const inboxOf = async (node: TestNode) => (await node.tool("list_inbox")).messages as JsonObject[];

describe("two agents that only an anchor reaches", () => {
  test("a message, its receipts and its answer go by the anchor, once each", async () => {
    await using at = await hidden();
    const { ana, bo } = at;
    const sent = await ana.tool("send_message", { content: "over there?", target_agent_id: bo.id });
    const id = String(sent.message_id);
    await at.net.settle();
    await at.poll();
    await at.poll();

    expect(JSON.stringify(await ana.tool("get_sent_message", { message_id: id }))).toMatch(
      /"rung":"stored"[^}]*"signed":true/,
    );
    expect(await inboxOf(bo)).toMatchObject([{ message_id: id }]);
    expect(await bo.tool("get_message", { message_id: id })).toMatchObject({ content: "over there?" });
    expect(await bo.tool("respond_message", { message_id: id, response: "here!" })).toMatchObject({
      success: true,
    });
    for (let i = 0; i < 3; i++) await at.poll();

    const told = await ana.tool("get_sent_message", { message_id: id });
    expect(told.responses).toMatchObject([{ agent_id: bo.id, response: "here!" }]);

    expect(await inboxOf(bo)).toEqual([]);
    const answers = at.anchor.posted.filter(({ path }) => path.includes("webhook_relay"));
    expect(answers.length).toBeGreaterThan(1);
    expect(JSON.stringify(answers)).not.toContain("here!");
    const [peer] = (await ana.tool("list_connections")).connections as JsonObject[];
    expect(JSON.stringify(peer)).toContain("anchor");
  });

  test("nothing of a message lies open at the anchor", async () => {
    await using at = await hidden();
    await at.ana.tool("send_message", {
      content: "the word is swordfish",
      target_agent_id: at.bo.id,
      metadata: { topic: "marmalade" },
    });
    await at.net.settle();
    const relayed = at.anchor.posted.filter(({ path }) => path.includes("message_relay"));
    expect(relayed).toHaveLength(1);
    const wire = JSON.stringify(at.anchor.posted);
    expect(wire).not.toContain("swordfish");
    expect(wire).not.toContain("marmalade");
    expect(Object.keys(relayed[0]?.body ?? {}).sort()).toEqual([
      "e2e_encrypted",
      "encrypted_payload",
      "from_agent_id",
      "timestamp",
    ]);
  });

  test("what an anchor hands out again is not acted on again", async () => {
    await using at = await hidden();
    await at.ana.tool("send_message", { content: "once", target_agent_id: at.bo.id });
    await at.net.settle();
    const [relayed] = at.anchor.posted.filter(({ path }) => path.includes("message_relay"));
    await at.poll();
    for (let i = 0; i < 3; i++) {
      const body = JSON.stringify(relayed?.body);
      const sql = "INSERT INTO anchor_entries (kind, agent_id, body, at_ms) VALUES ('message', ?, ?, ?)";
      await at.anchor.db.write((tx) => tx.run(sql, at.bo.id, body, at.net.clock.now()));
      await at.poll();
    }
    expect(await inboxOf(at.bo)).toHaveLength(1);
  });

  test("what cannot be taken now stays with the anchor", async () => {
    await using at = await hidden();
    await at.ana.tool("send_message", { content: "later", target_agent_id: at.bo.id });
    await at.net.settle();
    await at.bo.local({ method: "POST", path: "/__darkmatter__/config", body: { status: "inactive" } });
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(0);
    await at.bo.local({ method: "POST", path: "/__darkmatter__/config", body: { status: "active" } });
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(1);
  });

  test("an answer that is lost on its way is given again", async () => {
    await using at = await hidden();
    await at.ana.tool("send_message", { content: "again", target_agent_id: at.bo.id });
    await at.net.settle();
    using lost = at.net.internet.lose("answer", { to: at.anchor.host.name });
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(0);
    lost[Symbol.dispose]();
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(1);
  });

  test("an anchor that lost everything is told anew, and serves on", async () => {
    await using at = await hidden();
    await at.anchor.db.write((tx) => tx.run("DELETE FROM anchor_agents"));
    await at.net.clock.advance(MINUTE_MS);
    await at.poll();
    await at.net.settle();
    const row = await at.anchor.db.get<{ n: number }>("SELECT COUNT(*) AS n FROM anchor_agents");
    expect(row?.n).toBe(2);
  });
});

describe("what comes out of an anchor", () => {
  async function handOut(at: Hidden, kind: string, body: object): Promise<void> {
    const sql = "INSERT INTO anchor_entries (kind, agent_id, body, at_ms) VALUES (?, ?, ?, ?)";
    await at.anchor.db.write((tx) => tx.run(sql, kind, at.bo.id, JSON.stringify(body), at.net.clock.now()));
    await at.poll();
  }

  const random = seededRandom(4);

  async function told(at: Hidden, inner: JsonObject): Promise<unknown> {
    const sent = await at.bo.tool("send_message", { content: "?", target_agent_id: at.ana.id });
    const id = String(sent.message_id);
    await at.net.settle();
    const plain = { from_agent_id: at.ana.id, message_id: id, ...inner };
    const data = sealEnvelope(at.ana.signer, at.bo.id, plain, random);
    await handOut(at, "webhook", { message_id: id, data });
    return (await at.bo.tool("get_sent_message", { message_id: id })).updates;
  }

  test("a sealed callback is heard where it is its sender's own word about that message", async () => {
    await using at = await hidden();
    const data = { type: "responding", agent_id: at.ana.id };
    expect(JSON.stringify(await told(at, { data }))).toContain("responding");
    expect(JSON.stringify(await told(at, { data, message_id: "msg-other" }))).not.toContain("responding");
    const forged = { type: "responding", agent_id: "ab".repeat(32) };
    expect(JSON.stringify(await told(at, { data: forged }))).not.toContain("responding");
  });

  test("a message that is not sealed is dropped", async () => {
    await using at = await hidden();
    const payload = { message_id: "m-1", content: "plain" };
    await handOut(at, "message", { path: "/__darkmatter__/message", payload, from_agent_id: at.ana.id });
    expect(at.bo.reports.join()).toContain("anchor.dropped");
    expect(await inboxOf(at.bo)).toEqual([]);
  });

  test.each(["accept_pending", "config", "webhook/m-1", "message/../config", "mcp"])(
    "a sealed request of %s is dropped",
    async (path) => {
      await using at = await hidden();
      const plain = { path: `/__darkmatter__/${path}`, payload: {}, from_agent_id: at.ana.id };
      await handOut(at, "message", sealEnvelope(at.ana.signer, at.bo.id, plain, random));
      expect(at.bo.reports.join()).toContain("anchor.dropped");
    },
  );

  test("an acceptance in another's name is dropped, though nobody signs acceptances", async () => {
    await using at = await hidden();
    const payload = { agent_id: "ab".repeat(32), agent_url: ROUTER.ana };
    const plain = { path: "/__darkmatter__/connection_accepted", payload, from_agent_id: at.ana.id };
    await handOut(at, "message", sealEnvelope(at.ana.signer, at.bo.id, plain, random));
    expect(at.bo.reports.join()).toContain("anchor.dropped");
  });

  test("what is meant for another does not open", async () => {
    await using at = await hidden();
    const plain = { path: "/__darkmatter__/message", payload: {}, from_agent_id: at.bo.id };
    await handOut(at, "message", sealEnvelope(at.bo.signer, at.ana.id, plain, random));
    expect(at.bo.reports.join()).toContain("anchor.dropped");
  });

  test("nobody who comes through an anchor is taken for this machine or its network", async () => {
    await using at = await hidden();
    const agentId = at.ana.id;
    const fields = { agentId, newUrl: "http://127.0.0.1:9", timestamp: isoTime(at.net.clock.now()) };
    const payload = {
      agent_id: agentId,
      new_url: fields.newUrl,
      timestamp: fields.timestamp,
      public_key_hex: agentId,
      signature: signText(at.ana.signer, peerUpdateText(fields)),
    };
    const plain = { path: "/__darkmatter__/peer_update", payload, from_agent_id: agentId };
    await handOut(at, "message", sealEnvelope(at.ana.signer, at.bo.id, plain, random));
    const { connections } = await at.bo.tool("list_connections");
    expect(JSON.stringify(connections)).toContain(agentId);
    expect(JSON.stringify(connections)).not.toContain("127.0.0.1");
  });

  test("a callback's message id leads nowhere else", async () => {
    await using at = await hidden();
    await handOut(at, "webhook", { message_id: "../config", data: { status: "inactive" } });
    expect(at.bo.reports.join()).toContain("anchor.dropped");
  });
});

describe("anchors that misbehave", () => {
  const answering =
    (answer: (path: string) => { status: number; headers?: Record<string, string>; body: string }): Handler =>
    async ({ path }) => ({ headers: {}, ...answer(path) });

  test.each([
    ["garbage", { status: 200, body: "]]]" }],
    ["far too much", { status: 200, body: JSON.stringify({ messages: ["x".repeat(3_000_000)] }) }],
    ["other shapes", { status: 200, body: JSON.stringify({ messages: { a: 1 }, callbacks: 3, cursor: 5 }) }],
    [
      "entries that are none",
      { status: 200, body: JSON.stringify({ messages: [1, null, "x", []], callbacks: [null] }) },
    ],
    ["a redirect", { status: 302, headers: { location: "http://192.168.7.11:8101/" }, body: "" }],
    [
      "a redirect that claims success",
      { status: 307, headers: { location: "http://169.254.169.254/" }, body: "{}" },
    ],
  ])("one that answers %s leaves a message to the others, and harms nobody", async (_, answer) => {
    const bad = "http://5.6.7.66:5001";
    await using at = await hidden([bad, ANCHOR]);
    at.net.internet.host({ address: "5.6.7.66" }).listen(
      5001,
      answering((path) => (path.includes("_relay/") ? { status: 503, body: "" } : answer)),
    );
    await at.ana.tool("send_message", { content: "through", target_agent_id: at.bo.id });
    await at.net.settle();
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(1);
  });

  test("one that redirects what is left with it has not taken it", async () => {
    const bad = "http://5.6.7.66:5001";
    await using at = await hidden([bad, ANCHOR]);
    at.net.internet.host({ address: "5.6.7.66" }).listen(
      5001,
      answering(() => ({ status: 302, headers: { location: `${ANCHOR}/x` }, body: "" })),
    );
    await at.ana.tool("send_message", { content: "through", target_agent_id: at.bo.id });
    await at.net.settle();
    await at.poll();
    expect(await inboxOf(at.bo)).toHaveLength(1);
  });

  test("one that hangs holds up neither the message nor the polls of another", async () => {
    const bad = "http://5.6.7.66:5001";
    await using at = await hidden([bad, ANCHOR]);
    const silent = at.net.internet.host({ address: "5.6.7.66" });
    using _toAna = at.net.internet.partition(at.net.hosts.ana.name, silent.name, { silent: true });
    using _toBo = at.net.internet.partition(at.net.hosts.bo.name, silent.name, { silent: true });
    const sending = at.ana.tool("send_message", { content: "through", target_agent_id: at.bo.id });
    await at.net.clock.advance(30 * SECOND_MS);
    await sending;
    await at.bo.job("anchors.poll");
    // Far less than the silent one is waited for.
    for (let i = 0; i < 20; i++) await at.net.clock.advance(50);
    const arrived = await inboxOf(at.bo);
    await at.net.clock.advance(MINUTE_MS);
    expect(arrived).toHaveLength(1);
    for (let i = 0; i < 3; i++) {
      await at.bo.job("anchors.poll");
      await at.net.clock.advance(MINUTE_MS);
    }
    expect(at.bo.reports.filter((one) => one.startsWith("anchor.silent"))).toHaveLength(1);
  });
});

test("an acceptance nobody can bring is held by the anchor until the asker asks", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    apart: "public",
    config: { anchors: [ANCHOR] },
  });
  const { ana, bo } = net.nodes;
  await using anchor = await anchorHost({
    clock: net.clock,
    internet: net.internet,
    random: seededRandom(9),
  });
  for (const node of [ana, bo]) await node.job("anchors.known");
  // What ana opens goes through; nothing gets to her.
  using _way = net.internet.partition(net.hosts.bo.name, net.hosts.ana.name, { oneWay: true });
  expect(await ana.tool("connection", { action: "request", target_url: bo.url })).toMatchObject({
    status: "pending",
  });
  await net.settle();
  const [request] = (await bo.tool("list_pending_requests")).requests as JsonObject[];
  await bo.tool("connection", { action: "accept", request_id: request?.request_id });
  await net.settle();
  expect(anchor.posted.some(({ path }) => path.endsWith(`connection_relay/${ana.id}`))).toBe(true);

  await net.clock.advance(MINUTE_MS);
  await ana.job("anchors.poll");
  await net.settle();

  expect((await ana.tool("list_connections")).connections).toMatchObject([{ agent_id: bo.id }]);
});
