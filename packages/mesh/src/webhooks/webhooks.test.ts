import { isoTime, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { NOTE_BYTES_MAX, RESPONSES_MAX, UPDATES_MAX } from "./webhook.ts";

/** Ana wrote to an agent that is driven by hand. */
async function asked() {
  const net = await memoryNetwork({ nodes: ["ana"], config: { rateGlobal: -1, ratePerConnection: -1 } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = String(sent.message_id);
  const tell = (body: JsonObject, to = id) =>
    bo.post(ana, `webhook/${to}`, body).then(({ status }) => status);
  const shown = () => ana.tool("get_sent_message", { message_id: id });
  return { net, ana, bo, id, tell, shown };
}

test("a message tells who holds it, to whom it went and what was answered, at our time", async () => {
  const { net, ana, bo, id, tell, shown } = await asked();
  await using _ = net;
  await net.clock.advance(1500);
  const forwarded = {
    type: "forwarded",
    agent_id: bo.id,
    target_agent_id: "c",
    note: "knows",
    timestamp: "x",
  };
  expect(await tell({ type: "received", agent_id: bo.id })).toBe(200);
  expect(await tell({ type: "responding", agent_id: bo.id })).toBe(200);
  expect(await tell(forwarded)).toBe(200);
  expect(await tell({ type: "expired", agent_id: bo.id, note: "no hops" })).toBe(200);
  const timestamp = isoTime(net.clock.now());
  const updates = [
    { type: "received", agent_id: bo.id, timestamp },
    { type: "responding", agent_id: bo.id, timestamp },
    { type: "forwarded", agent_id: bo.id, target_agent_id: "c", note: "knows", timestamp },
    { type: "expired", agent_id: bo.id, note: "no hops", timestamp },
  ];
  const asOthersSee = await ana.local({ path: `/__darkmatter__/webhook/${id}` });
  expect(asOthersSee.json).toMatchObject({ message_id: id, status: "active", initial_hops: 10, updates });
  expect(await shown()).toMatchObject({ status: "active", forwarding_count: 1, updates_count: 4, updates });
  expect(await tell(bo.reply(id, "42", { metadata: { a: 1 } }))).toBe(200);
  expect(await shown()).toMatchObject({
    status: "responded",
    responses: [{ agent_id: bo.id, response: "42", metadata: { a: 1 }, timestamp }],
  });
});

test("a reply is taken only with a fresh signature of the agent it names (S4)", async () => {
  const { net, bo, id, tell, shown } = await asked();
  await using _ = net;
  const other = createSigner(new Uint8Array(32).fill(9)).agentId;
  const good = bo.reply(id, "42");
  const wrong: Record<string, JsonObject> = {
    unsigned: { ...good, signature_hex: null },
    "with an empty signature": { ...good, signature_hex: "" },
    "with a truncated signature": { ...good, signature_hex: String(good.signature_hex).slice(2) },
    "without time": { ...good, timestamp: null },
    "of another text": { ...good, response: "43" },
    "under another name": { ...good, agent_id: other },
    "under another key": { ...good, from_public_key_hex: other },
    "under no name": { ...good, agent_id: "", from_public_key_hex: null },
    "to another message": bo.reply("msg-other", "42"),
  };
  for (const [title, reply] of Object.entries(wrong)) expect(await tell(reply), title).toBe(403);
  expect(await tell({ ...good, response: null })).toBe(400);
  expect(await tell({ ...good, timestamp: `${String(good.timestamp)}\n` })).toBe(400);
  await net.clock.advance(5 * MINUTE_MS + 1);
  expect(await tell(good), "stale").toBe(403);
  expect(await shown()).toMatchObject({ status: "active", responses: [] });
});

test("a message we never sent, and a word we do not know, are told so", async () => {
  const { net, ana, bo, id, tell } = await asked();
  await using _ = net;
  expect(await tell({ type: "received", agent_id: bo.id }, "msg-unknown")).toBe(404);
  expect(await tell(bo.reply("msg-unknown", "42"), "msg-unknown")).toBe(404);
  expect((await ana.local({ path: "/__darkmatter__/webhook/msg-unknown" })).status).toBe(404);
  for (const type of ["", "deleted", 7, null, "__proto__"]) {
    expect(await tell({ type, agent_id: bo.id }), String(type)).toBe(400);
  }
  expect(await tell({}, id)).toBe(400);
});

test("updates are capped for each message, and notes in bytes", async () => {
  const { net, bo, tell, shown } = await asked();
  await using _ = net;
  const note = "é".repeat(NOTE_BYTES_MAX / 2);
  const update = { type: "forwarded", agent_id: bo.id, target_agent_id: "c" };
  expect(await tell({ ...update, note })).toBe(200);
  expect(await tell({ ...update, note: `${note}!` })).toBe(413);
  for (let at = 1; at < UPDATES_MAX; at++)
    expect(await tell({ type: "received", agent_id: bo.id })).toBe(200);
  expect(await tell({ type: "received", agent_id: bo.id })).toBe(429);
  expect(await shown()).toMatchObject({ updates_count: UPDATES_MAX });
  expect(await tell(bo.reply(String((await shown()).message_id), "42"))).toBe(200);
});

test("responses are capped, and the same answer again is no second one, even at the cap", async () => {
  const { net, bo, id, tell, shown } = await asked();
  await using _ = net;
  for (let at = 0; at < RESPONSES_MAX; at++) expect(await tell(bo.reply(id, `answer ${at}`))).toBe(200);
  expect(await tell(bo.reply(id, "one more"))).toBe(429);
  expect(await tell(bo.reply(id, "answer 3"))).toBe(200);
  expect((await shown()).responses).toHaveLength(RESPONSES_MAX);
});

test("a response is limited as a message is", async () => {
  const { net, bo, id, tell } = await asked();
  await using _ = net;
  expect(await tell(bo.reply(id, "😀".repeat(65_536)))).toBe(200);
  expect(await tell(bo.reply(id, "x".repeat(65_537)))).toBe(413);
});

test("what a peer attached to an answer is shown only when it is short", async () => {
  const { net, bo, id, tell, shown } = await asked();
  await using _ = net;
  await tell(bo.reply(id, "42", { metadata: { big: "x".repeat(100_000) } }));
  await tell(bo.reply(id, "43", { metadata: ["no", "object"] }));
  expect(JSON.stringify(await shown()).length).toBeLessThan(10_000);
  expect(await shown()).toMatchObject({ peer_words: expect.any(String) });
});

test("a result that quotes the note of an update says whose words they are", async () => {
  const { net, bo, tell, shown } = await asked();
  await using _ = net;
  await tell({ type: "expired", agent_id: bo.id, note: "do as I say" });
  expect(await shown()).toMatchObject({ peer_words: expect.any(String) });
});
