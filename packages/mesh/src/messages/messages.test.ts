import { HOUR_MS, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { give, type MemoryNetwork, memoryNetwork, type StrangerAnswer, stranger } from "../testing.ts";

/** A node with a connected agent that is driven by hand. */
async function nodeAndPeer(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const asked = await bo.post(ana, "connection_request", bo.request());
  expect(asked.json).toMatchObject({ auto_accepted: true });
  return { net, ana, bo };
}

async function trio() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  return net;
}

const listedIds = async (node: { tool(name: string): Promise<JsonObject> }) =>
  ((await node.tool("list_inbox")).messages as JsonObject[]).map(({ message_id: id }) => id);

test("a new message without targets goes to every connection, under one id", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  const sent = await ana.tool("send_message", { content: "all of you" });
  expect(sent.routed_to).toEqual([bo.id, cy.id]);
  expect(await listedIds(bo)).toEqual([sent.message_id]);
  expect(await listedIds(cy)).toEqual([sent.message_id]);
});

test("the record of a sent message is on disk when the receiver calls back before it answers", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const early: Array<Promise<{ status: number }>> = [];
  bo.answers(({ path, body }) => {
    if (!path.endsWith("/message")) return undefined;
    const update = { type: "received", agent_id: bo.id };
    early.push(bo.post(ana, `webhook/${String(body.message_id)}`, update));
    return [200, { success: true }];
  });
  await ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  expect(early).toHaveLength(1);
  expect((await early[0])?.status).toBe(200);
});

test("a peer that refuses is reported as failed, with its status, and counted as declined", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  bo.answers(({ path }) => (path.endsWith("/message") ? [429, { error: "full" }] : undefined));
  const sent = await ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  expect(sent).toMatchObject({ success: false, routed_to: [] });
  expect(sent.failed).toMatchObject([{ agent_id: bo.id, error: expect.stringContaining("429") }]);
  bo.answers(({ path }) => (path.endsWith("/message") ? [403, { error: "no" }] : undefined));
  const again = await ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  expect(again.failed).toMatchObject([{ error: expect.stringContaining("403") }]);
  const { connections } = await ana.tool("list_connections");
  expect(connections).toMatchObject([{ messages_sent: 0, messages_declined: 2 }]);
});

test("a fork reaches two agents with one hop less, and leaves the inbox", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy", "di"] });
  const { ana, bo, cy, di } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  await net.connect("bo", "di");
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id, hops_remaining: 4 });
  const fork = { message_id: sent.message_id, target_agent_ids: [cy.id, di.id], note: "you may know" };
  expect(await bo.tool("send_message", fork)).toMatchObject({
    success: true,
    hops_remaining_for_targets: 3,
    note: "you may know",
    results: [
      { agent_id: cy.id, success: true },
      { agent_id: di.id, success: true },
    ],
  });
  expect(await listedIds(bo)).toEqual([]);
  expect(await cy.tool("list_inbox")).toMatchObject({
    messages: [{ message_id: sent.message_id, hops_remaining: 3, from_agent_id: bo.id }],
  });
  await net.settle();
  const seen = await ana.tool("get_sent_message", { message_id: sent.message_id });
  const forwarded = (seen.updates as JsonObject[]).filter(({ type }) => type === "forwarded");
  expect(forwarded).toMatchObject([
    { target_agent_id: cy.id, note: "you may know" },
    { target_agent_id: di.id },
  ]);
});

test("a message is not forwarded to an agent that had it, unless forced", async () => {
  const net = await trio();
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const update = { type: "forwarded", agent_id: bo.id, target_agent_id: cy.id };
  await ana.local({
    method: "POST",
    path: `/__darkmatter__/webhook/${String(sent.message_id)}`,
    body: update,
  });
  const forward = { message_id: sent.message_id, target_agent_id: cy.id };
  expect(await bo.tool("send_message", forward)).toMatchObject({ success: false });
  expect(await listedIds(bo)).toEqual([sent.message_id]);
  expect(await bo.tool("send_message", { ...forward, force: true })).toMatchObject({ success: true });
  expect(await listedIds(cy)).toEqual([sent.message_id]);
});

test("a message is not sent back to its author, nor to the agent it came from", async () => {
  const net = await trio();
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = sent.message_id;
  expect(await bo.tool("send_message", { message_id: id, target_agent_id: ana.id })).toMatchObject({
    success: false,
  });
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  expect(await cy.tool("send_message", { message_id: id, target_agent_id: bo.id })).toMatchObject({
    success: false,
    error: expect.stringContaining("already had"),
  });
  expect(await listedIds(cy)).toEqual([id]);
});

test("a message without hops is dropped at the next forward, and its author hears that it expired", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  const message = bo.message({ hops_remaining: 0 });
  expect((await bo.post(ana, "message", message)).status).toBe(200);
  const forward = { message_id: message.message_id, target_agent_id: cy.id };
  expect(await ana.tool("send_message", forward)).toMatchObject({ success: false });
  expect(await listedIds(ana)).toEqual([]);
  expect(bo.heardAt(String(message.message_id)).map(({ type }) => type)).toContain("expired");
  expect(cy.heardAt("/message")).toEqual([]);
});

test.each(["expired", "responded"])("a message that is %s at its author is not forwarded", async (status) => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  const message = bo.message();
  await bo.post(ana, "message", message);
  bo.answers(({ method }) => (method === "GET" ? [200, { status, updates: [] }] : undefined));
  const forward = { message_id: message.message_id, target_agent_id: cy.id };
  expect(await ana.tool("send_message", forward)).toMatchObject({ success: false });
  expect(await listedIds(ana)).toEqual([]);
  expect(cy.heardAt("/message")).toEqual([]);
});

test("a webhook that answers nonsense or not at all does not stop a forward", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  const answers: StrangerAnswer[] = [
    [404, { error: "unknown" }],
    [200, { status: "relay" }],
    [200, [1, 2]],
  ];
  for (const answer of answers) {
    const message = bo.message();
    await bo.post(ana, "message", message);
    bo.answers(({ method }) => (method === "GET" ? answer : undefined));
    const forward = { message_id: message.message_id, target_agent_id: cy.id };
    expect(await ana.tool("send_message", forward)).toMatchObject({ success: true });
  }
  expect(cy.heardAt("/message")).toHaveLength(3);
});

test("a failed forward leaves the message in the inbox", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  cy.answers(({ path }) => (path.endsWith("/message") ? [429, { error: "full" }] : undefined));
  const message = bo.message();
  await bo.post(ana, "message", message);
  const forward = { message_id: message.message_id, target_agent_id: cy.id };
  expect(await ana.tool("send_message", forward)).toMatchObject({ success: false });
  expect(await listedIds(ana)).toEqual([message.message_id]);
});

test("a broadcast reaches the peers scored high enough, and never their inbox", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.5 });
  const sent = await ana.tool("send_message", { content: "news", broadcast: true, trust_min: 0.3 });
  expect(sent).toMatchObject({ success: true, routed_to: [bo.id] });
  expect(await listedIds(bo)).toEqual([]);
  expect((await bo.tool("get_identity")).messages_handled).toBe(1);
  expect((await cy.tool("get_identity")).messages_handled).toBe(0);
  const byType = { content: "more", message_type: "broadcast" };
  expect(await ana.tool("send_message", byType)).toMatchObject({ routed_to: [bo.id, cy.id] });
  await ana.tool("set_impression", { agent_id: bo.id, score: -0.5 });
  expect(await ana.tool("send_message", byType)).toMatchObject({ routed_to: [cy.id] });
});

test("an expired message needs no answer: the holder hears it, and the message is gone", async () => {
  const net = await trio();
  await using _ = net;
  const { ana, bo } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = { message_id: sent.message_id };
  expect(await ana.tool("expire_message", id)).toMatchObject({ success: true, status: "expired" });
  expect(await ana.tool("expire_message", id)).toMatchObject({ success: true, message: expect.any(String) });
  const reply = await bo.tool("send_message", { reply_to: sent.message_id, content: "late" });
  expect(reply).toMatchObject({ success: false, error: expect.stringContaining("expired") });
  expect(await listedIds(bo)).toEqual([]);
});

test("an inbox message is dropped after its hour, not before", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  await bo.post(ana, "message", bo.message());
  await net.clock.advance(HOUR_MS - 1);
  await ana.job("messages.purge");
  expect(await listedIds(ana)).toHaveLength(1);
  await net.clock.advance(1);
  await ana.job("messages.purge");
  expect(await listedIds(ana)).toEqual([]);
  expect((await ana.tool("get_identity")).message_queue_size).toBe(0);
});

test("only the newest hundred sent messages are kept", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const ids: unknown[] = [];
  for (let at = 0; at < 103; at++) {
    await net.clock.advance(1);
    ids.push((await ana.tool("send_message", { content: `${at}`, target_agent_id: bo.id })).message_id);
  }
  await ana.job("messages.purge");
  const kept = (await ana.tool("list_messages")).messages as JsonObject[];
  expect(kept.map(({ message_id: id }) => id)).toEqual(ids.slice(3));
});

test("what was shown whole counts as read and frees its place; what was cut does not", async () => {
  const { net, ana, bo } = await nodeAndPeer({ inboxMax: 2, rateGlobal: -1, ratePerConnection: -1 });
  await using _ = net;
  const long = bo.message({ content: "x".repeat(201) });
  await bo.post(ana, "message", bo.message());
  await bo.post(ana, "message", long);
  expect((await bo.post(ana, "message", bo.message())).status).toBe(429);
  await ana.tool("list_inbox");
  expect((await ana.tool("get_identity")).message_queue_size).toBe(1);
  expect((await bo.post(ana, "message", bo.message())).status).toBe(200);
  await ana.tool("get_message", { message_id: long.message_id });
  expect((await ana.tool("get_identity")).message_queue_size).toBe(1);
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 3 });
  expect((await ana.tool("get_identity")).message_queue_size).toBe(0);
});

test("new messages are listed although many that were read wait for an answer", async () => {
  const { net, ana, bo } = await nodeAndPeer({ rateGlobal: -1, ratePerConnection: -1 });
  await using _ = net;
  for (let at = 0; at < 50; at++) await bo.post(ana, "message", bo.message());
  await ana.tool("list_inbox");
  const fresh = bo.message({ content: "the newest" });
  await bo.post(ana, "message", fresh);
  expect(await listedIds(ana)).toContain(fresh.message_id);
});

test("an inbox at its limit never takes more, whatever comes at once; each surplus message hears 429", async () => {
  const { net, ana, bo } = await nodeAndPeer({ inboxMax: 10, rateGlobal: -1, ratePerConnection: -1 });
  await using _ = net;
  const messages = Array.from({ length: 64 }, () => bo.message());
  const answers = await Promise.all(messages.map((message) => bo.post(ana, "message", message)));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  expect(statuses.filter((status) => status === 429)).toHaveLength(54);
  expect(await listedIds(ana)).toHaveLength(10);
  const positions = answers.flatMap(({ status, json }) =>
    status === 200 ? [(json as JsonObject).queue_position] : [],
  );
  expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  // A refused message burned no id: it is taken as soon as there is room.
  await ana.tool("list_inbox");
  const refused = messages[statuses.indexOf(429)] ?? {};
  expect((await bo.post(ana, "message", refused)).status).toBe(200);
});

test("parameters that contradict each other are refused with what to do", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const wrong = [
    {},
    { reply_to: "m", message_id: "m", content: "x" },
    { reply_to: "m" },
    { message_id: "m", content: "x" },
    { message_id: "unknown" },
    { content: "x", target_agent_id: ana.id },
    { content: "x" },
    { content: "x", hops_remaining: 0 },
    { content: "x", hops_remaining: 51 },
    { content: "x", trust_min: 2 },
    { content: "x", unknown_key: 1 },
    { content: "y".repeat(65_537) },
  ];
  for (const input of wrong) {
    expect(await ana.tool("send_message", input), JSON.stringify(input).slice(0, 80)).toMatchObject({
      success: false,
      error: expect.any(String),
    });
  }
  expect(await ana.tool("list_messages")).toMatchObject({ total: 0 });
});

test("text that is no well-formed Unicode is refused before anything is written or sent", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  for (const input of [{ content: "a\ud800" }, { content: "a", metadata: { k: "\udc00" } }]) {
    const sent = await ana.tool("send_message", { ...input, target_agent_id: bo.id });
    expect(sent).toMatchObject({ success: false });
  }
  expect(await ana.tool("list_messages")).toMatchObject({ total: 0 });
  expect(bo.heardAt("/message")).toEqual([]);
});

test("messages refused by the connection's limit are counted as declined", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  for (let at = 0; at < 30; at++) expect((await bo.post(ana, "message", bo.message())).status).toBe(200);
  expect((await bo.post(ana, "message", bo.message())).status).toBe(429);
  expect(await ana.tool("list_connections")).toMatchObject({
    connections: [{ messages_received: 30, messages_declined: 1 }],
  });
  await net.clock.advance(MINUTE_MS);
  expect((await bo.post(ana, "message", bo.message())).status).toBe(200);
});

test("the journal names every act of a message's life", async () => {
  const net: MemoryNetwork<"ana" | "bo" | "cy"> = await trio();
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = String(sent.message_id);
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  await cy.tool("respond_message", { message_id: id, response: "!" });
  await net.settle();
  const acts = async (node: typeof ana) =>
    (await node.db.all("SELECT act FROM journal WHERE trace = ? ORDER BY position", id)).map(
      ({ act }) => act,
    );
  expect((await acts(ana)).filter((act) => act !== "receipt.taken")).toEqual([
    "message.sent",
    "message.answered",
  ]);
  expect(await acts(bo)).toEqual(["message.received", "message.forwarded"]);
  expect(await acts(cy)).toEqual(["message.received", "message.answered"]);
});

test("an inbox that was full before the node started refuses before it looks at the message", async () => {
  const { net, ana, bo } = await nodeAndPeer({ inboxMax: 1 });
  await using _ = net;
  const waiting = {
    messageId: "msg-before",
    content: "x",
    webhook: `${bo.url}/__darkmatter__/webhook/msg-before`,
    hopsRemaining: 10,
    metadata: {},
    from: bo.id,
    verified: true,
    receivedAtMs: net.clock.now(),
    read: false,
  };
  await give(ana.db, { inbox: [waiting] });
  expect((await bo.post(ana, "message", {})).status).toBe(429);
});
