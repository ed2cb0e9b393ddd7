import { HOUR_MS, type JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";

const ladderOf = async (node: TestNode, id: string, agentId: string) => {
  const { ladder } = await node.tool("get_sent_message", { message_id: id });
  const found = (ladder as JsonObject[]).find(({ agent_id }) => agent_id === agentId);
  return (found?.rungs ?? []) as JsonObject[];
};
const rungsOf = async (node: TestNode, id: string, agentId: string) =>
  (await ladderOf(node, id, agentId)).map(({ rung }) => rung);
const stateOf = async (node: TestNode, id: string) =>
  (await node.tool("get_sent_message", { message_id: id })).state;

/** The hash by which a node recorded an act of a message. */
const commitOf = (node: TestNode, id: string, act: string) =>
  node.journal.of(id).find((event) => event.act === act)?.hash;

async function trio() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  const send = async (target: TestNode) => {
    const sent = await net.nodes.ana.tool("send_message", { content: "?", target_agent_id: target.id });
    await net.settle();
    return String(sent.message_id);
  };
  return { net, ...net.nodes, send };
}

test("a message climbs: stored, read, acted; each step is signed and names the commit that records it", async () => {
  const { net, ana, bo, send } = await trio();
  await using _ = net;
  const id = await send(bo);
  expect(await stateOf(ana, id)).toBe("stored by 1 of 1");
  await bo.tool("list_inbox");
  await net.settle();
  expect(await stateOf(ana, id)).toBe("read by 1 of 1");
  await bo.tool("respond_message", { message_id: id, response: "!" });
  await net.settle();
  expect(await stateOf(ana, id)).toBe("acted on by 1 of 1");
  const step = (rung: string, act: string, detail: string | null) => ({
    rung,
    detail,
    commit: commitOf(bo, id, act),
    signed: true,
  });
  expect(await ladderOf(ana, id, bo.id)).toMatchObject([
    { rung: "queued", signed: false, commit: null },
    { rung: "sent", signed: false, commit: null },
    step("stored", "message.received", null),
    step("read", "receipt.given", null),
    step("acted", "message.answered", "replied"),
  ]);
  expect(await bo.db.all("SELECT * FROM mesh_receipts_due")).toEqual([]);
  expect([...ana.reports, ...bo.reports]).toEqual([]);
});

test("read is said once, by whichever way the whole content was shown first", async () => {
  const { net, ana, bo, send } = await trio();
  await using _ = net;
  const id = await send(bo);
  for (let at = 0; at < 2; at++) {
    await bo.tool("get_message", { message_id: id });
    await bo.tool("list_inbox");
  }
  await net.settle();
  expect(bo.journal.of(id).filter(({ act }) => act === "receipt.given")).toMatchObject([
    { peer: ana.id, messageId: id, fields: { rung: "read", detail: null } },
  ]);
  expect(await rungsOf(ana, id, bo.id)).toEqual(["queued", "sent", "stored", "read"]);
});

test("a list that shows only the beginning is no reading", async () => {
  const { net, ana, bo } = await trio();
  await using _ = net;
  const content = "long ".repeat(100);
  const sent = await ana.tool("send_message", { content, target_agent_id: bo.id });
  await bo.tool("list_inbox");
  await net.settle();
  expect(await stateOf(ana, String(sent.message_id))).toBe("stored by 1 of 1");
});

test("a forwarded message has one ladder for each holder, and both reach its author", async () => {
  const { net, ana, bo, cy, send } = await trio();
  await using _ = net;
  const id = await send(bo);
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  await net.settle();
  expect(await rungsOf(ana, id, bo.id)).toEqual(["queued", "sent", "stored", "acted"]);
  expect((await ladderOf(ana, id, bo.id)).at(-1)).toMatchObject({
    detail: "forwarded",
    commit: commitOf(bo, id, "message.forwarded"),
  });
  expect(await ladderOf(ana, id, cy.id)).toMatchObject([
    { rung: "stored", commit: commitOf(cy, id, "message.received"), signed: true },
  ]);
  await cy.tool("get_message", { message_id: id });
  await cy.tool("respond_message", { message_id: id, response: "!" });
  await net.settle();
  expect(await rungsOf(ana, id, cy.id)).toEqual(["stored", "read", "acted"]);
  expect(await stateOf(ana, id)).toBe("acted on by 2 of 2");
  const brought = ana.journal
    .of(id)
    .filter(({ act, peer }) => act === "receipt.taken" && peer === cy.id)
    .map(({ fields }) => (fields.receipt as JsonObject).from_agent_id);
  expect(brought).toEqual([bo.id, bo.id, bo.id]);
});

test("a message that cannot be passed on any more expires at its holder, which says so", async () => {
  const { net, ana, bo, cy } = await trio();
  await using _ = net;
  const given = { content: "?", target_agent_id: bo.id, hops_remaining: 1 };
  const id = String((await ana.tool("send_message", given)).message_id);
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  await net.settle();
  const forward = { message_id: id, target_agent_id: bo.id, force: true };
  expect(await cy.tool("send_message", forward)).toMatchObject({ success: false });
  await net.settle();
  expect((await ladderOf(ana, id, cy.id)).at(-1)).toMatchObject({
    rung: "expired",
    detail: "no hops left",
    commit: commitOf(cy, id, "receipt.given"),
  });
});

test("a message that nobody answered within its hour expires, and its author hears it", async () => {
  const { net, ana, bo, send } = await trio();
  await using _ = net;
  const id = await send(bo);
  await net.clock.advance(HOUR_MS + 1);
  await bo.job("messages.purge");
  await net.settle();
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  expect((await ladderOf(ana, id, bo.id)).at(-1)).toMatchObject({ rung: "expired", detail: "not answered" });
  expect(await stateOf(ana, id)).toBe("expired at 1 of 1");
});

test("of many that expire at once each author hears, however many a transaction takes", async () => {
  const limitless = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };
  await using net = await memoryNetwork({ nodes: ["ana"], config: limitless });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const asking = { receipts: 1, origin_agent_id: bo.id };
  for (let at = 0; at < 230; at++) await bo.post(ana, "message", bo.message({ metadata: asking }));
  for (let at = 0; at < 20; at++) await bo.post(ana, "message", bo.message());
  await net.clock.advance(HOUR_MS + 1);
  await ana.job("messages.purge");
  await net.settle();
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
  const told = bo.heard.filter(({ body }) => body.type === "receipt");
  expect(new Set(told.map(({ path }) => path)).size).toBe(230);
});

test("blocking an agent drops what it still waits for: recorded as refused, and not told", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const [bo, cy] = [0, 1].map((at) =>
    stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at }),
  );
  if (!bo || !cy) throw new Error("two strangers");
  const asking = bo.message({ metadata: { receipts: 1, origin_agent_id: bo.id } });
  await bo.post(ana, "message", asking);
  await bo.post(ana, "message", bo.message());
  await cy.post(ana, "message", cy.message());
  await ana.tool("connection", { action: "block", agent_id: bo.id });
  await net.settle();
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 1, messages: [{ from_agent_id: cy.id }] });
  expect(ana.journal.events.filter(({ act }) => act === "receipt.given")).toMatchObject([
    { messageId: asking.message_id, peer: bo.id, fields: { rung: "refused", detail: expect.any(String) } },
  ]);
  expect(bo.heard.filter(({ body }) => body.type === "receipt")).toEqual([]);
});

test("a broadcast is stored by those who hear it, and said so", async () => {
  const { net, ana, bo } = await trio();
  await using _ = net;
  const sent = await ana.tool("send_message", { content: "news", broadcast: true });
  expect(await rungsOf(ana, String(sent.message_id), bo.id)).toEqual(["queued", "sent", "stored"]);
});

test("a message that could not leave is queued; one that may have left is sent", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true });
  await using _ = net;
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const send = async () => {
    const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
    return stateOf(ana, String(sent.message_id));
  };
  {
    using _down = net.hosts.bo.down();
    expect(await send()).toBe("queued for 1 of 1");
  }
  using _lost = net.internet.lose("answer");
  expect(await send()).toBe("sent to 1 of 1");
});

test("a wait that ends by its time says how far the message came", async () => {
  const { net, ana, bo, send } = await trio();
  await using _ = net;
  const id = await send(bo);
  await bo.tool("get_message", { message_id: id });
  await net.settle();
  const waiting = ana.tool("wait_for_response", { message_id: id, timeout_seconds: 5 });
  await net.clock.advance(5000);
  expect(await waiting).toMatchObject({ success: false, reason: "timeout", state: "read by 1 of 1" });
});

test("of several agents the list tells how far the furthest came, and how many came so far", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await using _ = net;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  const { ana, bo, cy } = net.nodes;
  await ana.tool("send_message", { content: "?" });
  await net.settle();
  const state = async () => {
    await net.settle();
    const { messages } = await ana.tool("list_messages");
    return (messages as JsonObject[])[0]?.state;
  };
  expect(await state()).toBe("stored by 2 of 2");
  await bo.tool("list_inbox");
  expect(await state()).toBe("read by 1 of 2");
  await cy.tool("list_inbox");
  expect(await state()).toBe("read by 2 of 2");
});
