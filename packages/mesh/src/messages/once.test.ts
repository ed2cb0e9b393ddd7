import type { JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

async function duo() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  return net;
}

const total = async (node: { tool(name: string): Promise<JsonObject> }) =>
  (await node.tool("list_inbox")).total;

test("a message sent twice under one call id is one message", async () => {
  await using net = await duo();
  const { ana, bo } = net.nodes;
  const send = () => ana.tool("send_message", { content: "?", target_agent_id: bo.id }, { callId: "c1" });
  const first = await send();
  const second = await send();
  expect(second).toMatchObject({ success: true, message_id: first.message_id, routed_to: [bo.id] });
  expect(await ana.tool("list_messages")).toMatchObject({ total: 1 });
  expect(await total(bo)).toBe(1);
  expect(await ana.tool("list_connections")).toMatchObject({ connections: [{ messages_sent: 1 }] });
});

test("a message sent twice at once under one call id is one message", async () => {
  await using net = await duo();
  const { ana, bo } = net.nodes;
  const send = () => ana.tool("send_message", { content: "?", target_agent_id: bo.id }, { callId: "c1" });
  const [first, second] = await Promise.all([send(), send()]);
  expect(second).toMatchObject({ success: true, message_id: first?.message_id });
  expect(await total(bo)).toBe(1);
  expect(await ana.tool("list_connections")).toMatchObject({ connections: [{ messages_sent: 1 }] });
});

test("a message that may have arrived goes out under its own id when the call is repeated", async () => {
  await using net = await duo();
  const { ana, bo } = net.nodes;
  const send = () => ana.tool("send_message", { content: "?", target_agent_id: bo.id }, { callId: "c1" });
  using lost = net.internet.lose("answer");
  const first = await send();
  expect(first).toMatchObject({ success: true, routed_to: [], queued_for: [bo.id], unconfirmed: [bo.id] });
  lost[Symbol.dispose]();
  expect(await send()).toMatchObject({ success: true, message_id: first.message_id, routed_to: [bo.id] });
  expect(await total(bo)).toBe(1);
});

test("a reply repeated under one call id is recorded once and reported as the first", async () => {
  await using net = await duo();
  const { ana, bo } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = sent.message_id;
  const reply = () => bo.tool("respond_message", { message_id: id, response: "42" }, { callId: "c2" });
  expect(await reply()).toMatchObject({ success: true });
  expect(await reply()).toMatchObject({ success: true });
  expect((await ana.tool("get_sent_message", { message_id: id })).responses).toHaveLength(1);
});

test("a reply repeated at once under one call id leaves this node once", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const message = bo.message();
  await bo.post(ana, "message", message);
  const reply = () =>
    ana.tool("respond_message", { message_id: message.message_id, response: "42" }, { callId: "c2" });
  const outcomes = await Promise.all([reply(), reply(), ana.job("messages.finish-answers")]);
  expect(outcomes.slice(0, 2)).toMatchObject([{ success: true }, { success: true }]);
  const told = bo.heardAt(String(message.message_id));
  expect(told.filter(({ type }) => type === "response")).toHaveLength(1);
});

test("a forward repeated under one call id acts once and answers the same", async () => {
  await using net = await duo();
  const { ana, bo, cy } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const forward = () =>
    bo.tool(
      "send_message",
      { message_id: sent.message_id, target_agent_id: cy.id },
      { callId: "c3", session: "s" },
    );
  const first = await forward();
  const second = await forward();
  expect({ ...second, _hint: "" }).toEqual({ ...first, _hint: "" });
  expect(await total(cy)).toBe(1);
});

test("a request accepted twice under one call id is accepted once and answers the same", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: "public" });
  const { ana, bo } = net.nodes;
  await ana.tool("connection", { action: "request", target_url: bo.url });
  const { requests } = await bo.tool("list_pending_requests");
  const requestId = (requests as JsonObject[])[0]?.request_id;
  const accept = (callId?: string) =>
    bo.tool("connection", { action: "accept", request_id: requestId }, callId ? { callId } : {});
  const first = await accept("c4");
  const second = await accept("c4");
  expect(second).toMatchObject({ success: true, agent_id: first.agent_id });
  expect(await accept()).toMatchObject({ success: false });
  await net.settle();
  expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
  const opened = await bo.db.all("SELECT * FROM journal WHERE act = 'connection.opened'");
  expect(opened).toHaveLength(1);
});

test("a judgement passed twice under one call id is recorded once, and answered the same", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const judge = (input: object) => ana.tool("set_impression", input, { callId: "c1" });
  const input = { agent_id: "ab".repeat(32), score: 0.5, note: "helpful" };
  const first = await judge(input);
  expect(first).toMatchObject({ success: true, action: "created", score: 0.5, note: "helpful" });
  expect(await judge(input)).toEqual(first);
  expect(ana.journal.events.map(({ act }) => act)).toEqual(["impression.set"]);
  expect(JSON.stringify(await ana.db.all("SELECT * FROM once_results"))).not.toContain("helpful");
});
