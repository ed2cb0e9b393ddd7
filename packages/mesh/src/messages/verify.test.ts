import { isoTime, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { createSigner, messageDigestText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };

async function nodeAndPeer({ features = [] as string[], connected = true, config = {} } = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config: { ...LIMITLESS, ...config } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  if (connected) await bo.post(ana, "connection_request", bo.request({ features }));
  const send = (message: JsonObject) => bo.post(ana, "message", message).then(({ status }) => status);
  const stored = async () => (await ana.db.all("SELECT * FROM mesh_inbox")).length;
  return { net, ana, bo, send, stored };
}

/** A message signed over everything, for `to`. */
function covered(bo: ReturnType<typeof stranger>, to: string, fields: JsonObject = {}): JsonObject {
  const message = bo.message(fields);
  const text = messageDigestText({
    from: bo.id,
    messageId: String(message.message_id),
    timestamp: String(message.timestamp),
    content: String(message.content),
    webhook: String(message.webhook),
    metadata: message.metadata as JsonObject,
    to,
  });
  return { ...message, to_agent_id: to, dm_sig: signText(bo.signer, text) };
}

test.each([true, false])("forged and damaged signatures are refused (connected: %s)", async (connected) => {
  const { net, bo, send, stored } = await nodeAndPeer({ connected });
  await using _ = net;
  const good = bo.message();
  const signature = String(good.signature_hex);
  const other = createSigner(new Uint8Array(32).fill(77));
  const wrong: Record<string, JsonObject> = {
    "no signature": { ...good, signature_hex: null },
    "empty signature": { ...good, signature_hex: "" },
    "truncated signature": { ...good, signature_hex: signature.slice(0, -2) },
    "longer signature": { ...good, signature_hex: `${signature}00` },
    "signature with blanks": { ...good, signature_hex: ` ${signature.slice(1)}` },
    "signature of zeros": { ...good, signature_hex: "0".repeat(128) },
    "signature by another key": { ...good, signature_hex: other.sign("anything") },
    "other content": { ...good, content: "hello!" },
    "other id": { ...good, message_id: "msg-other" },
    "other time": { ...good, timestamp: isoTime(net.clock.now() - 1000) },
    "no time": { ...good, timestamp: null },
    "a time without offset": { ...bo.message({ timestamp: "2026-03-05T12:00:00" }) },
    "another key presented": { ...good, from_public_key_hex: other.agentId },
    "a key that is no key": { ...good, from_public_key_hex: "zz".repeat(32) },
    "another sender": { ...good, from_agent_id: other.agentId },
    "a sender that is no key": bo.message({ from_agent_id: "bo", from_public_key_hex: "bo" }),
    "an upper-case sender": { ...good, from_agent_id: bo.id.toUpperCase() },
  };
  for (const [title, message] of Object.entries(wrong)) expect(await send(message), title).toBe(403);
  expect(await stored()).toBe(0);
  // None of them burned the id.
  expect(await send(good)).toBe(200);
});

test("a small-order key speaks for nobody", async () => {
  const { net, send } = await nodeAndPeer({ connected: false });
  await using _ = net;
  const weak = `01${"00".repeat(31)}`;
  const bo = stranger(net.clock, net.hosts.ana, { port: 9002, seed: 202 });
  const message = bo.message({
    from_agent_id: weak,
    from_public_key_hex: weak,
    signature_hex: `${weak}${"00".repeat(32)}`,
  });
  expect(await send(message)).toBe(403);
});

test("a line feed in a signed field is refused as malformed", async () => {
  const { net, bo, send } = await nodeAndPeer();
  await using _ = net;
  const now = isoTime(net.clock.now());
  const wrong: JsonObject[] = [
    { message_id: "a\nb" },
    { timestamp: `${now}\n` },
    { from_agent_id: `${bo.id}\n` },
    { webhook: `${bo.url}/__darkmatter__/webhook/a\nb` },
  ];
  for (const fields of wrong) {
    expect(await send(bo.message(fields)), JSON.stringify(fields)).toBe(400);
  }
  expect(await send(bo.message({ content: "two\nlines" }))).toBe(200);
});

test("times are fresh for five minutes either way, inclusive", async () => {
  const { net, bo, send } = await nodeAndPeer();
  await using _ = net;
  const at = (ms: number) => send(bo.message({ timestamp: isoTime(net.clock.now() + ms) }));
  expect(await at(-5 * MINUTE_MS)).toBe(200);
  expect(await at(5 * MINUTE_MS)).toBe(200);
  expect(await at(-5 * MINUTE_MS - 1)).toBe(403);
  expect(await at(5 * MINUTE_MS + 1)).toBe(403);
});

test("a replayed message is refused for as long as its time is fresh, even if it was answered", async () => {
  const { net, ana, bo, send } = await nodeAndPeer();
  await using _ = net;
  const message = bo.message({ timestamp: isoTime(net.clock.now() + 5 * MINUTE_MS) });
  expect(await send(message)).toBe(200);
  await ana.tool("respond_message", { message_id: message.message_id, response: "!" });
  for (let minute = 0; minute < 10; minute++) {
    expect(await send(message), `minute ${minute}`).toBe(409);
    await net.clock.advance(MINUTE_MS);
    await ana.job("messages.purge");
  }
  expect(await send(message)).toBe(409);
  await net.clock.advance(SECOND_MS);
  expect(await send(message)).toBe(403);
});

test("copies of a message that arrive over two peers are one message", async () => {
  const { net, ana, bo, send, stored } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  const message = bo.message({ message_id: "msg-forked" });
  const answers = await Promise.all([
    send(message),
    cy.post(ana, "message", cy.message({ message_id: "msg-forked" })).then(({ status }) => status),
    send(message),
  ]);
  expect(answers.sort()).toEqual([200, 409, 409]);
  expect(await stored()).toBe(1);
});

test("where dm_sig is present it alone counts, and covers recipient, metadata and webhook", async () => {
  const { net, ana, bo, send } = await nodeAndPeer({ features: ["digest/1"] });
  await using _ = net;
  const other = createSigner(new Uint8Array(32).fill(77)).agentId;
  expect(await send({ ...covered(bo, ana.id), signature_hex: "00" })).toBe(200);
  expect(await send(covered(bo, other))).toBe(403);
  expect(await send({ ...covered(bo, other), to_agent_id: ana.id })).toBe(403);
  expect(await send({ ...covered(bo, ana.id), metadata: { type: "disconnect_announcement" } })).toBe(403);
  const elsewhere = `http://127.0.0.1:9009/__darkmatter__/webhook/x`;
  expect(await send({ ...covered(bo, ana.id), webhook: elsewhere })).toBe(403);
  expect(await send({ ...covered(bo, ana.id), dm_sig: "" })).toBe(403);
  expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
});

test("a control message needs dm_sig from a peer that can make one, and from no other", async () => {
  const disconnect = { metadata: { type: "disconnect_announcement" } };
  {
    const { net, ana, bo, send } = await nodeAndPeer({ features: ["digest/1"] });
    await using _ = net;
    expect(await send(bo.message(disconnect))).toBe(403);
    expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
    expect(await send(covered(bo, ana.id, disconnect))).toBe(200);
    expect(await ana.tool("list_connections")).toMatchObject({ total: 0 });
  }
  const { net, ana, bo, send } = await nodeAndPeer({ features: [] });
  await using _ = net;
  expect(await send(bo.message(disconnect))).toBe(200);
  expect(await ana.tool("list_connections")).toMatchObject({ total: 0 });
});

test("an unsigned repeated request does not make a peer forget how to sign control messages", async () => {
  const { net, ana, bo, send } = await nodeAndPeer({ features: ["digest/1"] });
  await using _ = net;
  await bo.post(ana, "connection_request", bo.request({ features: [] }));
  expect(await send(bo.message({ metadata: { type: "disconnect_announcement" } }))).toBe(403);
  expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
});

test("a disconnect announced by somebody we are not connected to ends nothing", async () => {
  const { net, ana, send } = await nodeAndPeer();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await send(cy.message({ metadata: { type: "disconnect_announcement" } }));
  expect(await ana.tool("list_connections")).toMatchObject({ total: 1 });
});

test("dm_sig goes only to peers that announced digest/1", async () => {
  const { net, ana, bo } = await nodeAndPeer({ features: ["digest/1", "other/9"] });
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  await cy.post(ana, "connection_request", cy.request());
  await ana.tool("send_message", { content: "both of you", metadata: { n: 1 } });
  const [toBo] = bo.heardAt("/message");
  const [toCy] = cy.heardAt("/message");
  expect(toBo).toMatchObject({ to_agent_id: bo.id, dm_sig: expect.any(String) });
  expect(Object.keys(toCy ?? {}).sort()).toEqual([
    "content",
    "from_agent_id",
    "from_public_key_hex",
    "hops_remaining",
    "message_id",
    "metadata",
    "signature_hex",
    "timestamp",
    "webhook",
  ]);
});

test("a node that takes no strangers refuses their signed messages", async () => {
  const { net, bo, send } = await nodeAndPeer({ connected: false, config: { acceptStrangers: false } });
  await using _ = net;
  expect(await send(bo.message())).toBe(403);
});

test("a message of ourselves, as a loop would bring it, is refused", async () => {
  const { net, ana, bo, send } = await nodeAndPeer();
  await using _ = net;
  expect(await send(bo.message({ from_agent_id: ana.id, from_public_key_hex: ana.id }))).toBe(400);
});

test("content is limited to 65,536 code points, whatever they weigh", async () => {
  const { net, ana, bo, send } = await nodeAndPeer();
  await using _ = net;
  for (const letter of ["x", "é", "😀"]) {
    const longest = bo.message({ content: letter.repeat(65_536) });
    expect(await send(longest), letter).toBe(200);
    expect(await send(bo.message({ content: letter.repeat(65_537) })), letter).toBe(413);
    const shown = await ana.tool("get_message", { message_id: longest.message_id });
    expect(shown.content).toBe(letter.repeat(65_536));
  }
});

test("content is kept as it was sent, control characters included", async () => {
  const { net, ana, bo, send } = await nodeAndPeer();
  await using _ = net;
  const content = "\u0000\u0001 a\r\n\u2028\u202e😀\uffff";
  const message = bo.message({ content });
  expect(await send(message)).toBe(200);
  expect(await ana.tool("get_message", { message_id: message.message_id })).toMatchObject({ content });
});

test.each([
  [undefined, 10],
  [null, 10],
  [0, 0],
  [7, 7],
  [10.0, 10],
  [50, 50],
  [51, 50],
  [1e308, 50],
  [-1, 10],
  [2.5, 10],
])("hops_remaining %s counts as %i", async (given, kept) => {
  const { net, ana, bo, send } = await nodeAndPeer();
  await using _ = net;
  const message = bo.message(given === undefined ? {} : { hops_remaining: given });
  if (given === undefined) delete message.hops_remaining;
  expect(await send(message)).toBe(200);
  const shown = await ana.tool("get_message", { message_id: message.message_id });
  expect(shown.hops_remaining).toBe(kept);
});

test("refusals come in the order of the reference", async () => {
  const { net, ana, bo, send } = await nodeAndPeer({ config: { inboxMax: 1, rateGlobal: 3 } });
  await using _ = net;
  const seen = bo.message();
  const broken = {
    ...seen,
    content: "x".repeat(65_537),
    from_agent_id: "x".repeat(129),
    webhook: "nonsense",
  };
  expect(await send({ ...broken, message_id: "" })).toBe(400);
  expect(await send(seen)).toBe(200);
  await ana.tool("list_inbox");
  expect(await send(broken)).toBe(409);
  expect(await send({ ...broken, message_id: "m2" })).toBe(413);
  expect(await send({ ...broken, message_id: "m2", content: "x" })).toBe(400);
  expect(await send({ ...seen, message_id: "m2", webhook: "nonsense" })).toBe(400);
  expect(await send({ ...seen, message_id: "m2", from_agent_id: null })).toBe(400);
  expect(await send(bo.message())).toBe(200);
  expect(await send({ ...broken, message_id: "" })).toBe(429);
  await ana.tool("set_status", { status: "inactive" });
  expect(await send({})).toBe(503);
});
