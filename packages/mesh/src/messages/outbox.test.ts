import { DAY_MS, isoTime, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { meshMigrations } from "../schema.ts";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";
import { COPIES_PER_PEER_MAX } from "./copy.ts";

const NEW = ["digest/1", "receipts/1", "journal/1", "ids25h/1"];

/** Ana and bo, each on a machine of its own, connected. */
async function pair() {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const send = (content = "hi") => ana.tool("send_message", { content, target_agent_id: bo.id });
  /** Time passes, with the timer of the queue. */
  const wait = async (ms: number) => {
    for (let left = ms; left > 0; left -= SECOND_MS) {
      await net.clock.advance(Math.min(left, SECOND_MS));
      await ana.job("outbox.retry");
      await net.settle();
    }
  };
  return { net, ana, bo, send, wait };
}

/** Ana, and a peer that is driven by hand. */
async function peerOf(features: readonly string[]) {
  const net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request({ features: [...features] }));
  const send = () => ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  const wait = async (ms: number) => {
    await net.clock.advance(ms);
    await ana.job("outbox.retry");
    await net.settle();
  };
  const tried = () => bo.heardAt("/message").length;
  return { net, ana, bo, send, wait, tried };
}

const inboxOf = async (node: TestNode) => (await node.tool("list_inbox")).messages as JsonObject[];
const contentsOf = async (node: TestNode) => (await inboxOf(node)).map(({ content }) => content);
const ladderOf = async (node: TestNode, id: unknown) =>
  ((await node.tool("get_sent_message", { message_id: id })).ladder as JsonObject[])[0] as JsonObject & {
    rungs: JsonObject[];
  };
const rungsOf = async (node: TestNode, id: unknown) =>
  (await ladderOf(node, id)).rungs.map(({ rung }) => rung);

test("what cannot be brought now waits, is said to wait, and goes out when its agent is back", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  const sent = await send();
  expect(sent).toMatchObject({ success: true, routed_to: [], queued_for: [bo.id], state: "queued" });
  expect(sent.note).toContain("24 hours");
  expect(sent.unconfirmed).toBeUndefined();
  expect(await rungsOf(ana, sent.message_id)).toEqual(["queued"]);
  await wait(20 * SECOND_MS);
  const { attempts, next_attempt: next } = await ladderOf(ana, sent.message_id);
  expect(attempts).toBe(3);
  expect(String(next) > isoTime(net.clock.now())).toBe(true);
  down[Symbol.dispose]();
  await wait(20 * SECOND_MS);
  expect(await contentsOf(bo)).toEqual(["hi"]);
  await net.settle();
  expect(await rungsOf(ana, sent.message_id)).toEqual(["queued", "sent", "stored", "read"]);
  expect(await ladderOf(ana, sent.message_id)).toMatchObject({ transport: "http", next_attempt: null });
  expect(await ana.tool("get_sent_message", { message_id: sent.message_id })).toMatchObject({
    routed_to: [bo.id],
  });
});

test("the pauses grow from 5 s to 10 min, and one that is away is asked once for all that waits", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  using _down = net.hosts.bo.down();
  const ids: unknown[] = [];
  for (const content of ["one", "two", "three"]) ids.push((await send(content)).message_id);
  await wait(DAY_MS / 24);
  const attempts = await Promise.all(ids.map(async (id) => Number((await ladderOf(ana, id)).attempts)));
  // 5 + 10 + … + 600 s, up to a fifth less, for the first; the others wait behind it.
  expect(attempts[0]).toBeGreaterThanOrEqual(10);
  expect(attempts[0]).toBeLessThanOrEqual(16);
  expect(attempts.slice(1)).toEqual([1, 1]);
  expect(await contentsOf(bo)).toEqual([]);
});

test("when an agent is heard, what waits for it goes out at once and in order", async () => {
  const { net, ana, bo, send } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  for (let at = 0; at < 25; at++) await send(`message ${at}`);
  await net.clock.advance(MINUTE_MS);
  down[Symbol.dispose]();
  await bo.tool("send_message", { content: "I am back", target_agent_id: ana.id });
  await net.settle();
  expect(await contentsOf(bo)).toEqual(Array.from({ length: 25 }, (_, at) => `message ${at}`));
});

test("how much is sent to an agent that is away makes nothing wait longer", async () => {
  const { net, bo, send, wait } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  const contents = Array.from({ length: 30 }, (_, at) => `message ${at}`);
  for (const content of contents) {
    await send(content);
    await wait(SECOND_MS / 10);
  }
  await wait(8 * SECOND_MS);
  down[Symbol.dispose]();
  // It says nothing by itself. The third pause of whoever is away ends within 40 s.
  await wait(30 * SECOND_MS);
  expect(await contentsOf(bo)).toEqual(contents);
});

test("when an agent answers again, what missed it moments before does not wait for its next time", async () => {
  const { net, ana, bo, wait } = await pair();
  await using _ = net;
  const send = (content: string) => ana.tool("send_message", { content, target_agent_id: bo.id });
  const silence = net.internet.lose("answer", { from: net.hosts.ana.name });
  const sending = [send("one"), send("two")];
  await wait(6 * SECOND_MS);
  const ids = (await Promise.all(sending)).map(({ message_id: id }) => id);
  const attempts = () => Promise.all(ids.map(async (id) => (await ladderOf(ana, id)).attempts));
  for (let at = 0; at < 40 && `${await attempts()}` !== "2,2"; at++) await wait(SECOND_MS / 4);
  silence[Symbol.dispose]();
  for (let at = 0; at < 100 && `${await attempts()}` === "2,2"; at++) await wait(SECOND_MS / 4);
  // Whichever was due first, the other was not due yet.
  expect(await attempts()).toEqual([3, 3]);
  expect(await contentsOf(bo)).toEqual(["one", "two"]);
});

test("an agent that is heard and cannot be reached is not tried as often as it speaks", async () => {
  const { net, ana, bo, send } = await pair();
  await using _ = net;
  const sent = await send("first");
  using _oneWay = net.internet.lose("request", { from: net.hosts.ana.name });
  const { message_id: id } = await send();
  for (let at = 0; at < 20; at++) {
    await bo.tool("send_message", { content: `${at}`, target_agent_id: ana.id });
    await net.settle();
  }
  expect(Number((await ladderOf(ana, id)).attempts)).toBeLessThanOrEqual(4);
  expect(await rungsOf(ana, sent.message_id)).toContain("stored");
});

test("lost answers: the copy is tried again, the 409 counts as delivered, and the agent has it once", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const lost = net.internet.lose("answer", { from: net.hosts.ana.name }, { times: 2 });
  const sent = await send();
  expect(sent).toMatchObject({ success: true, routed_to: [], unconfirmed: [bo.id], queued_for: [bo.id] });
  expect(await rungsOf(ana, sent.message_id)).toEqual(["queued", "sent"]);
  await wait(20 * SECOND_MS);
  lost[Symbol.dispose]();
  expect(await contentsOf(bo)).toEqual(["hi"]);
  const copies = await ana.db.all("SELECT state, attempts FROM mesh_outbox");
  expect(copies).toEqual([{ state: "stored", attempts: 3 }]);
  expect(await rungsOf(ana, sent.message_id)).toContain("stored");
});

test("a copy is never tried twice at once, whoever wants it sent", async () => {
  const { net, ana, bo, tried } = await peerOf(["ids25h/1"]);
  await using _ = net;
  const send = () =>
    ana.tool("send_message", { content: "once", target_agent_id: bo.id }, { callId: "call-1" });
  const both = Promise.all([send(), send()]);
  await ana.job("outbox.retry");
  await both;
  await net.settle();
  expect(tried()).toBe(1);
});

test("each attempt is signed anew under the same id", async () => {
  const { net, bo, send, wait } = await peerOf(NEW);
  await using _ = net;
  bo.answers(({ path }) => (path.endsWith("/message") ? [503] : undefined));
  await send();
  await wait(10 * MINUTE_MS);
  const [first, second] = bo.heardAt("/message");
  expect(second?.message_id).toBe(first?.message_id);
  expect(second?.timestamp).not.toBe(first?.timestamp);
  expect(second?.dm_sig).not.toBe(first?.dm_sig);
});

test("nothing is acted on twice a day later: the id is remembered longer than it is tried", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const lost = net.internet.lose("answer", { from: net.hosts.ana.name });
  const { message_id: id } = await send();
  await bo.tool("respond_message", { message_id: id, response: "read and gone" });
  await bo.tool("expire_message", { message_id: id });
  await bo.db.write((tx) => tx.run("DELETE FROM mesh_inbox"));
  await net.clock.advance(DAY_MS - MINUTE_MS);
  await bo.job("messages.purge");
  lost[Symbol.dispose]();
  await wait(2 * SECOND_MS);
  expect(await contentsOf(bo)).toEqual([]);
  expect(await rungsOf(ana, id)).toContain("stored");
});

test("towards an agent that forgets ids after 300 s a copy that left is not tried after that, and that is said", async () => {
  const { net, ana, send, wait, tried } = await peerOf(["digest/1"]);
  await using _ = net;
  const lost = net.internet.lose("answer");
  const { message_id: id } = await send();
  for (let at = 0; at < 70; at++) await wait(5 * SECOND_MS);
  const before = tried();
  expect(before).toBeGreaterThan(3);
  lost[Symbol.dispose]();
  await wait(DAY_MS / 2);
  expect(tried()).toBe(before);
  expect(await ladderOf(ana, id)).toMatchObject({
    next_attempt: null,
    last_error: expect.stringContaining("not sent again"),
  });
  const { notes_of_this_node: notes, messages } = await ana.tool("list_inbox");
  expect(notes).toMatchObject([{ message_id: id, note: expect.stringContaining("may not have arrived") }]);
  expect(messages).toEqual([]);
});

test("towards such an agent a copy none of whose bytes left is tried for a day", async () => {
  const { net, ana, send, wait, tried } = await peerOf([]);
  await using _ = net;
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = 'http://127.0.0.1:9999'"));
  const { message_id: id, unconfirmed } = await send();
  expect(unconfirmed).toBeUndefined();
  await wait(DAY_MS / 2);
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = 'http://127.0.0.1:9000'"));
  await wait(10 * MINUTE_MS);
  expect(tried()).toBe(1);
  expect(await rungsOf(ana, id)).toEqual(["queued", "sent", "stored"]);
});

test("after a day it is given up: expired, with a note of this node that is no message", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  const { message_id: id } = await send();
  const waiting = ana.tool("wait_for_response", { message_id: id, timeout_seconds: 3600 });
  await net.clock.advance(DAY_MS - 2000 * SECOND_MS);
  await ana.job("messages.purge");
  expect(await rungsOf(ana, id)).toEqual(["queued"]);
  expect(await waiting).toMatchObject({ reason: "timeout", ladder: [{ agent_id: bo.id, attempts: 1 }] });
  await net.clock.advance(2000 * SECOND_MS);
  await ana.job("messages.purge");
  expect(await rungsOf(ana, id)).toEqual(["queued", "expired"]);
  expect(await ana.tool("get_sent_message", { message_id: id })).toMatchObject({ status: "expired" });
  const hinted = await ana.tools.call("darkmatter_list_inbox", {}, {});
  expect(hinted).toMatchObject({ total: 0, messages: [] });
  expect(hinted.notes_of_this_node).toMatchObject([{ message_id: id, agent_id: bo.id }]);
  down[Symbol.dispose]();
  await wait(20 * MINUTE_MS);
  expect(await contentsOf(bo)).toEqual([]);
});

test("a withdrawn message does not go out any more", async () => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  const { message_id: id } = await send();
  expect(await ana.tool("expire_message", { message_id: id })).toMatchObject({ success: true });
  down[Symbol.dispose]();
  await wait(MINUTE_MS);
  expect(await contentsOf(bo)).toEqual([]);
  expect(await ladderOf(ana, id)).toMatchObject({ next_attempt: null, last_error: "withdrawn", attempts: 1 });
});

test.each(["disconnect", "block"])("what waits for an agent ends with the connection: %s", async (action) => {
  const { net, ana, bo, send, wait } = await pair();
  await using _ = net;
  const down = net.hosts.bo.down();
  const { message_id: id } = await send();
  await ana.tool("connection", { action, agent_id: bo.id });
  down[Symbol.dispose]();
  await wait(MINUTE_MS);
  expect(await contentsOf(bo)).toEqual([]);
  expect(await rungsOf(ana, id)).toEqual(["queued", "expired"]);
});

test("a queue that is full refuses what is new, says so, and writes nothing down", async () => {
  const { net, ana, send } = await pair();
  await using _ = net;
  using _down = net.hosts.bo.down();
  for (let at = 0; at < COPIES_PER_PEER_MAX; at++) await send(`${at}`);
  expect(await send("one more")).toMatchObject({
    success: false,
    error: expect.stringContaining("nothing was sent"),
  });
  await ana.job("messages.purge");
  expect(await ana.tool("list_messages")).toMatchObject({ total: COPIES_PER_PEER_MAX });
  const waiting = "SELECT count(*) AS n FROM mesh_outbox WHERE next_at_ms IS NOT NULL";
  expect(await ana.db.all(waiting)).toEqual([{ n: COPIES_PER_PEER_MAX }]);
});

test("messages that still wait outlive newer ones that arrived", async () => {
  const net = await memoryNetwork({
    nodes: ["ana", "bo", "cy"],
    apart: true,
    config: { ratePerConnection: -1 },
  });
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  const down = net.hosts.bo.down();
  await ana.tool("send_message", { content: "wait", target_agent_id: bo.id });
  for (let at = 0; at < 120; at++) {
    await net.clock.advance(SECOND_MS);
    await ana.tool("send_message", { content: "x", target_agent_id: cy.id, broadcast: true });
  }
  await ana.job("messages.purge");
  down[Symbol.dispose]();
  await net.clock.advance(10 * MINUTE_MS);
  await ana.job("outbox.retry");
  await net.settle();
  expect(await contentsOf(bo)).toEqual(["wait"]);
});

test("a message to several says of each how far it is", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], apart: true });
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  const di = stranger(net.clock, net.hosts.ana);
  await di.post(ana, "connection_request", di.request());
  di.answers(({ path }) => (path.endsWith("/message") ? [400, { error: "no" }] : undefined));
  using _down = net.hosts.bo.down();
  const sent = await ana.tool("send_message", { content: "all" });
  expect(sent).toMatchObject({
    success: true,
    routed_to: [cy.id],
    queued_for: [bo.id],
    state: "partly delivered",
    failed: [{ agent_id: di.id, error: expect.stringContaining("400") }],
  });
});

test("sending answers within six seconds although nobody answers, and trying goes on", async () => {
  const { net, bo, send, wait } = await pair();
  await using _ = net;
  const silent = net.internet.partition(net.hosts.ana.name, net.hosts.bo.name, { silent: true });
  let sent: JsonObject | undefined;
  void send().then((result) => {
    sent = result;
  });
  await net.clock.advance(6 * SECOND_MS);
  expect(sent).toMatchObject({ success: true, queued_for: [bo.id], routed_to: [] });
  silent[Symbol.dispose]();
  await wait(30 * SECOND_MS);
  expect(await contentsOf(bo)).toEqual(["hi"]);
});

test("a peer that takes nothing for now is asked again later, not when it speaks; what it refuses is refused", async () => {
  const { net, ana, bo, send, wait, tried } = await peerOf(NEW);
  await using _ = net;
  bo.answers(({ path }) => (path.endsWith("/message") ? [429, { error: "full" }] : undefined));
  const { message_id: id } = await send();
  await bo.post(ana, "message", bo.message());
  await net.settle();
  expect(tried()).toBe(1);
  bo.answers(({ path }) => (path.endsWith("/message") ? [400, { error: "no" }] : undefined));
  await wait(5 * SECOND_MS);
  expect(tried()).toBe(2);
  expect(await rungsOf(ana, id)).toEqual(["queued", "sent", "refused"]);
  await wait(DAY_MS / 2);
  expect(tried()).toBe(2);
  expect((await ana.tool("list_inbox")).notes_of_this_node).toMatchObject([
    { note: expect.stringContaining("refused") },
  ]);
});

test("an agent of the first generation has it when its webhook says so", async () => {
  const { net, ana, bo, send, wait, tried } = await peerOf([]);
  await using _ = net;
  const lost = net.internet.lose("answer");
  const { message_id: id } = await send();
  lost[Symbol.dispose]();
  for (const type of ["received", "responding"]) {
    await bo.post(ana, `webhook/${String(id)}`, { type, agent_id: bo.id });
  }
  await wait(MINUTE_MS);
  expect(tried()).toBe(1);
  expect(await rungsOf(ana, id)).toEqual(["queued", "sent", "stored", "read"]);
});

test("what nobody signed does not stop a copy for an agent that gives receipts", async () => {
  const { net, ana, bo, send, wait, tried } = await peerOf(NEW);
  await using _ = net;
  const lost = net.internet.lose("answer");
  const { message_id: id } = await send();
  lost[Symbol.dispose]();
  await bo.post(ana, `webhook/${String(id)}`, { type: "received", agent_id: bo.id });
  await wait(10 * SECOND_MS);
  expect(tried()).toBeGreaterThan(1);
});

test("when another agent got the address, its refusal is not the peer's", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  const url = bo.url;
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = ?", cy.url));
  const sent = await ana.tool("send_message", { content: "for bo", target_agent_id: bo.id });
  expect(sent).toMatchObject({
    success: true,
    queued_for: [bo.id],
    note: expect.stringContaining("another agent"),
  });
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = ?", url));
  await net.clock.advance(10 * SECOND_MS);
  await ana.job("outbox.retry");
  await net.settle();
  expect(await contentsOf(bo)).toEqual(["for bo"]);
});

test("every step of the queue's tables is among the mesh's", () => {
  const names = meshMigrations.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
