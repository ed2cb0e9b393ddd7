import { HOUR_MS, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { RECEIPTS_DUE_MAX } from "../receipts/receipt.ts";
import { type DueRung, insertDue } from "../receipts/receipts.store.ts";
import { memoryNetwork, type Stranger, stranger } from "../testing.ts";
import { RESPONSES_MAX } from "../webhooks/webhook.ts";

const NEW = ["digest/1", "receipts/1", "journal/1", "ids25h/1"];
const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };

/** Ana, connected to bo; whoever else there is, is driven by hand too. */
async function setting(config: object = LIMITLESS) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  const { ana } = net.nodes;
  const somebody = (at: number) => stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: at });
  const connected = async (one: Stranger, features = NEW) => {
    await one.post(ana, "connection_request", one.request({ features }));
    return one;
  };
  const bo = await connected(somebody(1));
  const post = async (one: Stranger, body: JsonObject, path = "message") =>
    (await one.post(ana, path, body)).status;
  return { net, ana, bo, somebody, connected, post };
}
/** A message nobody can be called back about, which names an author. */
const unreachable = (one: Stranger, author: string, fields: JsonObject = {}) =>
  one.message({
    webhook: "http://127.0.0.1:9999/__darkmatter__/webhook/nowhere",
    metadata: { type: "broadcast", receipts: 1, origin_agent_id: author },
    ...fields,
  });
const dueTo = (from: string, at: number, atMs: number): DueRung => ({
  messageId: `due-${at}`,
  from,
  contentHash: keyOf(at),
  rung: "stored",
  atMs,
  commit: null,
  detail: null,
  webhook: "http://127.0.0.1:9999/__darkmatter__/webhook/nowhere",
});
const keyOf = (at: number) => at.toString(16).padStart(64, "a");

test("strangers whose callbacks fail do not make this node ask its peers for each of them", async () => {
  const { net, bo, somebody, post } = await setting();
  await using _ = net;
  for (let at = 0; at < 60; at++) {
    const one = somebody(20 + at);
    expect(await post(one, unreachable(one, keyOf(at)))).toBe(200);
  }
  await net.settle();
  expect(bo.heard.filter(({ path }) => path.includes("/peer_lookup/")).length).toBeLessThanOrEqual(10);
});

test("an author sought in vain is left alone for a while, and sought again later", async () => {
  const { net, ana, bo, somebody, post } = await setting();
  await using _ = net;
  const eve = somebody(2);
  const looks = () => bo.heard.filter(({ path }) => path.includes("/peer_lookup/")).length;
  for (let at = 0; at < 5; at++) await post(eve, unreachable(eve, keyOf(1)));
  await net.settle();
  await post(eve, unreachable(eve, keyOf(1)));
  await net.settle();
  expect(looks()).toBeLessThanOrEqual(5);
  const before = looks();
  await net.clock.advance(MINUTE_MS);
  await ana.job("receipts.tell");
  expect(looks()).toBeGreaterThan(before);
});

test("receipts that strangers ask for push out none that is due to a peer, and end sooner", async () => {
  const { net, ana, bo, somebody, post } = await setting();
  await using _ = net;
  bo.answers(({ path }) => (path.includes("/webhook/") ? [503] : undefined));
  const wanted = bo.message({ metadata: { type: "broadcast", receipts: 1, origin_agent_id: keyOf(7) } });
  await post(bo, wanted);
  const eve = somebody(2);
  await ana.db.write(async (tx) => {
    for (let at = 0; at < RECEIPTS_DUE_MAX - 3; at++)
      await insertDue(tx, dueTo(keyOf(at), at, net.clock.now()));
  });
  for (let at = 0; at < 5; at++) await post(eve, unreachable(eve, keyOf(1)));
  await net.settle();
  const due = () => ana.db.all("SELECT message_id FROM mesh_receipts_due ORDER BY seq");
  expect(await due()).toHaveLength(RECEIPTS_DUE_MAX);
  expect((await due())[0]).toEqual({ message_id: wanted.message_id });
  await net.clock.advance(2 * HOUR_MS);
  await ana.job("receipts.tell");
  expect(await due()).toEqual([{ message_id: wanted.message_id }]);
});

test("those who are asked can answer although others under many names answered first", async () => {
  const { net, ana, bo, somebody, post } = await setting();
  await using _ = net;
  const { message_id: id } = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const path = `webhook/${String(id)}`;
  for (let at = 0; at < RESPONSES_MAX; at++) {
    const one = somebody(10 + at);
    expect(await post(one, one.reply(String(id), "spam"), path)).toBe(200);
  }
  const late = somebody(9);
  expect(await post(late, late.reply(String(id), "spam"), path)).toBe(429);
  expect(await post(bo, bo.reply(String(id), "the answer"), path)).toBe(200);
  expect(await post(bo, bo.reply(String(id), "another"), path)).toBe(429);
  const { responses } = await ana.tool("get_sent_message", { message_id: id });
  expect((responses as JsonObject[]).at(-1)).toMatchObject({ agent_id: bo.id, response: "the answer" });
});

test("a receipt that is sent again by anybody is no sign of its giver's life", async () => {
  const { net, ana, bo, somebody, post } = await setting();
  await using _ = net;
  const { message_id: id } = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const message = { message_id: String(id), content: "?", from_agent_id: ana.id };
  const told = { type: "receipt", agent_id: bo.id, receipt: bo.receipt(message, { rung: "read" }) };
  expect(await post(bo, told as JsonObject, `webhook/${String(id)}`)).toBe(200);
  await net.settle();
  using _lost = net.internet.lose("answer");
  await ana.tool("send_message", { content: "later", target_agent_id: bo.id });
  await net.clock.advance(20 * SECOND_MS);
  await net.settle();
  const tried = () => bo.heardAt("/message").length;
  const before = tried();
  const eve = somebody(2);
  expect(await post(eve, told as JsonObject, `webhook/${String(id)}`)).toBe(200);
  await net.settle();
  expect(tried()).toBe(before);
});

test("an id that another took first is not said to be the author's message", async () => {
  const { net, ana, bo, somebody, connected, post } = await setting();
  await using _ = net;
  const mallory = await connected(somebody(3));
  expect(await post(mallory, mallory.message({ message_id: "msg-shared", content: "mine" }))).toBe(200);
  const own = bo.message({ message_id: "msg-shared", content: "hers" });
  expect(await post(bo, own)).toBe(403);
  // The same words by another way are the same message.
  expect(await post(bo, bo.message({ message_id: "msg-shared", content: "mine" }))).toBe(409);
  expect((await ana.tool("list_inbox")).total).toBe(1);
});

test("an attempt that outlasts the answer of the tool may have arrived, and that is said", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true });
  await using _ = net;
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const slow = net.internet.lose("answer", { from: net.hosts.ana.name });
  const later = ana.tool("send_message", { content: "hi", target_agent_id: bo.id });
  await net.clock.advance(6 * SECOND_MS);
  expect(await later).toMatchObject({ queued_for: [bo.id], unconfirmed: [bo.id] });
  slow[Symbol.dispose]();
});
