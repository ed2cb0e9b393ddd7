import { canonicalJson, type JsonObject, sha256Hex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { createVerifier } from "@darkmatter/identity";
import { type SignedMessage, signedMessageText, takenReceiptOf, verifyReceipt } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { memoryNetwork, type Stranger, stranger, type TestNode, testNode } from "../testing.ts";

const ALL = ["digest/1", "receipts/1", "journal/1"];
const verifier = createVerifier({ threads: "never" });

const one = (node: TestNode, id: string, act: string) => {
  const found = node.journal.of(id).filter((event) => event.act === act);
  expect(found, `${act} once`).toHaveLength(1);
  return found[0] as (typeof found)[number];
};

/** Ana asks bo, who passes it on to cy, who reads it and answers. */
async function passedOn() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  const { ana, bo, cy } = net.nodes;
  const given = { content: "who knows?", target_agent_id: bo.id, metadata: { topic: "é" } };
  const id = String((await ana.tool("send_message", given)).message_id);
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  await cy.tool("get_message", { message_id: id });
  await cy.tool("respond_message", { message_id: id, response: "I do" });
  await net.settle();
  return { net, ana, bo, cy, id };
}

test("the commits of both sides name each other, act by act", async () => {
  const { net, ana, bo, cy, id } = await passedOn();
  await using _ = net;
  const sent = one(ana, id, "message.sent");
  const forwarded = one(bo, id, "message.forwarded");
  const [asked, given] = [one(ana, id, "message.answered"), one(cy, id, "message.answered")];
  expect(sent.peer).toBe(bo.id);
  expect(one(bo, id, "message.received")).toMatchObject({ peer: ana.id, peerCommit: sent.hash });
  expect(forwarded).toMatchObject({ peer: cy.id, fields: { from: ana.id } });
  expect(one(cy, id, "message.received")).toMatchObject({ peer: bo.id, peerCommit: forwarded.hash });
  expect(asked).toMatchObject({ peer: cy.id, fields: { response: "I do", direction: "inbound" } });
  expect(given).toMatchObject({
    peer: ana.id,
    peerCommit: asked.hash,
    fields: { response: "I do", direction: "outbound" },
  });
  const hashes = (node: TestNode) => node.journal.of(id).map(({ hash }) => hash);
  const named = ana.journal.of(id).filter(({ act }) => act === "receipt.taken");
  expect(named).toHaveLength(5);
  for (const { peer, peerCommit } of named) {
    expect(hashes(peer === bo.id ? bo : cy)).toContain(peerCommit);
  }
});

test("what is recorded of a message can be checked by whoever sees the record", async () => {
  const { net, ana, bo, cy, id } = await passedOn();
  await using _ = net;
  for (const [node, from] of [
    [bo, ana],
    [cy, bo],
  ] as const) {
    const { content, metadata, signed } = one(node, id, "message.received").fields;
    const said = signed as unknown as SignedMessage;
    expect(said).toMatchObject({ scheme: "dm_sig", from: from.id, to: node.id });
    expect(said.content_hash).toBe(sha256Hex(String(content)));
    expect(said.metadata_hash).toBe(sha256Hex(canonicalJson(metadata ?? null)));
    const text = signedMessageText(said, id, undefined) ?? "";
    expect(await verifier.verify(from.id, text, said.signature)).toBe(true);
  }
  const { response, signed } = one(ana, id, "message.answered").fields;
  const said = signed as unknown as SignedMessage;
  expect(said).toMatchObject({ scheme: "reply", from: cy.id, to: null, webhook: null, metadata_hash: null });
  const text = signedMessageText(said, id, String(response)) ?? "";
  expect(await verifier.verify(cy.id, text, said.signature)).toBe(true);
  for (const { act, fields } of ana.journal.of(id)) {
    if (act !== "receipt.taken") continue;
    const receipt = takenReceiptOf(fields.receipt ?? null);
    expect(receipt?.content_hash).toBe(sha256Hex("who knows?"));
    expect(receipt && (await verifyReceipt(receipt, verifier.verify))).toBe(true);
  }
});

test("what was sent is recorded as the peer gets it, but for the commit that records it", async () => {
  const { net, ana, bo, id } = await passedOn();
  await using _ = net;
  const sent = one(ana, id, "message.sent");
  const received = one(bo, id, "message.received");
  expect(sent.fields.metadata).toEqual({ topic: "é", receipts: 1, origin_agent_id: ana.id });
  expect(received.fields.metadata).toEqual({ ...(sent.fields.metadata as JsonObject), commit: sent.hash });
});

/** Ana, connected with strangers that announced what is given. */
async function nodeAnd(...features: (readonly string[])[]) {
  const net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const peers: Stranger[] = [];
  for (const [at, announced] of features.entries()) {
    const peer = stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at });
    await peer.post(ana, "connection_request", peer.request({ features: [...announced] }));
    peers.push(peer);
  }
  return { net, ana, peers: peers as [Stranger, Stranger, Stranger, Stranger] };
}

const metadataOf = (peer: Stranger, at = 0) => peer.heardAt("/message")[at]?.metadata as JsonObject;

test("each peer gets what it announced, and an old one gets the bytes it always got", async () => {
  const { net, ana, peers } = await nodeAnd([], ["receipts/1"], ["journal/1"], ALL);
  await using _ = net;
  const metadata = { topic: "x", commit: "mine" };
  const sent = await ana.tool("send_message", { content: "?", metadata });
  const commits = ana.journal.of(String(sent.message_id));
  const commitFor = (peer: Stranger) => commits.find((event) => event.peer === peer.id)?.hash;
  const [old, asks, keeps, both] = peers;
  const asking = { receipts: 1, origin_agent_id: ana.id };
  expect(metadataOf(old)).toEqual(metadata);
  expect(metadataOf(asks)).toEqual({ ...metadata, ...asking });
  expect(metadataOf(keeps)).toEqual({ topic: "x", commit: commitFor(keeps) });
  expect(metadataOf(both)).toEqual({ topic: "x", ...asking, commit: commitFor(both) });
  expect(Object.keys(old.heardAt("/message")[0] ?? {})).toEqual([
    "message_id",
    "content",
    "webhook",
    "hops_remaining",
    "metadata",
    "timestamp",
    "from_agent_id",
    "from_public_key_hex",
    "signature_hex",
  ]);
  expect(commits).toHaveLength(4);
  for (const { fields } of commits) expect(fields.metadata).not.toHaveProperty("commit");
});

test("a repeated call sends each peer the same as before, whatever it announced meanwhile", async () => {
  const { net, ana, peers } = await nodeAnd([], ALL);
  await using _ = net;
  const send = () => ana.tool("send_message", { content: "?" }, { callId: "c1" });
  const lost = net.internet.lose("answer");
  await send();
  lost[Symbol.dispose]();
  const [old] = peers;
  await old.post(ana, "connection_request", old.request({ features: ALL }));
  await send();
  for (const peer of peers) expect(metadataOf(peer, 1)).toEqual(metadataOf(peer, 0));
  expect(ana.journal.events.filter(({ act }) => act === "message.sent")).toHaveLength(2);
});

test("only a commit that is a hash is recorded as the peer's", async () => {
  const { net, ana, peers } = await nodeAnd(ALL);
  await using _ = net;
  const [bo] = peers;
  const good = "ab".repeat(32);
  const given = [good, good.toUpperCase(), good.slice(1), `${good} `, 7, null, { of: good }];
  for (const commit of given) await bo.post(ana, "message", bo.message({ metadata: { commit } }));
  const received = ana.journal.events.filter(({ act }) => act === "message.received");
  expect(received.map(({ peerCommit }) => peerCommit)).toEqual([
    good,
    ...given.slice(1).map(() => undefined),
  ]);
});

test("a message signed the old way is recorded so", async () => {
  const { net, ana, peers } = await nodeAnd([]);
  await using _ = net;
  const message = peers[0].message();
  await peers[0].post(ana, "message", message);
  expect(one(ana, String(message.message_id), "message.received").fields.signed).toEqual({
    scheme: "signature_hex",
    from: peers[0].id,
    to: null,
    timestamp: message.timestamp,
    webhook: null,
    content_hash: sha256Hex("hello"),
    metadata_hash: null,
    signature: message.signature_hex,
  });
});

/** Ana holds a message of the first stranger, whose metadata ask for receipts and name a commit. */
async function holding(...features: (readonly string[])[]) {
  const world = await nodeAnd(ALL, ...features);
  const [author] = world.peers;
  const metadata = { receipts: 1, origin_agent_id: author.id, commit: "ab".repeat(32) };
  const message = author.message({ metadata });
  await author.post(world.ana, "message", message);
  await world.net.settle();
  return { ...world, author, metadata, id: String(message.message_id) };
}

test("a forward is on disk before the first byte leaves, and names its commit to those that keep a ledger", async () => {
  const { net, ana, peers, metadata, id } = await holding([], ALL);
  await using _ = net;
  const [, old, keeps] = peers;
  const recorded: unknown[] = [];
  const look = () => {
    recorded.push(...ana.journal.of(id).filter(({ act }) => act === "message.forwarded"));
    return undefined;
  };
  old.answers(look);
  await ana.tool("send_message", { message_id: id, target_agent_ids: [old.id, keeps.id] });
  await net.settle();
  expect(recorded).toHaveLength(2);
  const commit = ana.journal
    .of(id)
    .find(({ act, peer }) => act === "message.forwarded" && peer === keeps.id)?.hash;
  expect(metadataOf(old)).toEqual(metadata);
  expect(metadataOf(keeps)).toEqual({ ...metadata, commit });
});

test("a forward that is tried again keeps its commit; each target has one", async () => {
  const { net, ana, peers, id } = await holding(ALL, ALL);
  await using _ = net;
  const [, bo, cy] = peers;
  bo.answers(() => [500]);
  const forward = (target: Stranger) =>
    ana.tool("send_message", { message_id: id, target_agent_id: target.id });
  expect(await forward(bo)).toMatchObject({ success: false });
  expect(await forward(bo)).toMatchObject({ success: false });
  expect(metadataOf(bo, 1)).toEqual(metadataOf(bo, 0));
  expect(await forward(cy)).toMatchObject({ success: true });
  const forwarded = ana.journal.of(id).filter(({ act }) => act === "message.forwarded");
  expect(forwarded.map(({ peer }) => peer)).toEqual([bo.id, cy.id]);
  expect(metadataOf(cy).commit).toBe(forwarded[1]?.hash);
});

test("who announced that it keeps a ledger is answered the commit of its reply, the same again; others are not", async () => {
  const { net, ana, peers } = await nodeAnd([], ["journal/1"], ["receipts/1"]);
  await using _ = net;
  const sent = await ana.tool("send_message", { content: "?" });
  const id = String(sent.message_id);
  const [old, keeps, shows] = peers;
  const reply = async (by: Stranger) => (await by.post(ana, `webhook/${id}`, by.reply(id, "!"))).json;
  const recorded = { success: true, recorded: "response" };
  expect(await reply(old)).toEqual(recorded);
  const commitFor = (peer: Stranger) =>
    ana.journal.of(id).find((event) => event.act === "message.answered" && event.peer === peer.id)?.hash;
  const first = await reply(keeps);
  expect(first).toEqual({ ...recorded, commit: commitFor(keeps) });
  expect(await reply(keeps)).toEqual(first);
  // It never announced it, and named a commit of its own: it keeps one.
  const receipt = shows.receipt(shows.heardAt("/message")[0] ?? {}, { commit: "cd".repeat(32) });
  await shows.post(ana, `webhook/${id}`, { type: "receipt", agent_id: shows.id, receipt });
  expect(await reply(shows)).toEqual({ ...recorded, commit: commitFor(shows) });
});

test("without a ledger of our own receipts name no commit, and messages none either", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const host = net.hosts.ana;
  const bo = stranger(net.clock, host);
  const place = { host: "127.0.0.1", port: 8160, seed: new Uint8Array(32).fill(9) };
  await using plain = await testNode({
    clock: net.clock,
    random: seededRandom(4),
    wire: host.wire,
    chainless: true,
    ...place,
  });
  await bo.post(plain, "connection_request", bo.request({ features: ALL }));
  const asking = { receipts: 1, origin_agent_id: bo.id };
  const answer = await bo.post(plain, "message", bo.message({ metadata: asking }));
  expect(answer.json).toMatchObject({ receipt: { rung: "stored", commit: null } });
  await plain.tool("send_message", { content: "?", target_agent_id: bo.id });
  expect(metadataOf(bo)).toEqual({ receipts: 1, origin_agent_id: plain.id });
});

test("no message can be called as an agent is, and so lie among what the ledger keeps of that one", async () => {
  const { net, ana, peers } = await nodeAnd([], []);
  await using _ = net;
  const [bo, mallory] = peers;
  const answer = await mallory.post(ana, "message", mallory.message({ message_id: bo.id }));
  expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining("message_id") } });
  expect(ana.journal.of(bo.id).map(({ act }) => act)).toEqual(["connection.opened"]);
  // Upper case names no agent.
  const other = await mallory.post(ana, "message", mallory.message({ message_id: bo.id.toUpperCase() }));
  expect(other.status).toBe(200);
});
