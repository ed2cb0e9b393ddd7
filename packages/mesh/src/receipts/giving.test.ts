import { DAY_MS, HOUR_MS, type JsonObject, MINUTE_MS, sha256Hex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { createVerifier } from "@darkmatter/identity";
import { receiptOf, verifyReceipt } from "@darkmatter/proof";
import { journalMigrations, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createFaults, memoryDatabase, sqliteFault } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { meshMigrations } from "../schema.ts";
import { memoryNetwork, type Stranger, type StrangerAnswer, stranger, testNode } from "../testing.ts";
import { RECEIPTS_DUE_MAX } from "./receipt.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };
const INTERNAL = 2;
const verifier = createVerifier({ threads: "never" });

/** Ana holds messages of bo, who is driven by hand and asks for receipts. */
async function nodeAndAsker({ connected = true } = {}) {
  const faults = createFaults();
  const db = await openSqlite({ path: ":memory:", onStatement: faults.onStatement });
  await migrate(db, [...storeMigrations, ...journalMigrations, ...meshMigrations]);
  const net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS, dbOf: { ana: db } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  if (connected) await bo.post(ana, "connection_request", bo.request());
  const metadata = { receipts: 1, origin_agent_id: bo.id };
  const asking = (fields: JsonObject = {}) => bo.message({ metadata, ...fields });
  const send = async (message: JsonObject) => {
    const answer = await bo.post(ana, "message", message);
    await net.settle();
    return { status: answer.status, json: answer.json as JsonObject };
  };
  return { net, ana, bo, faults, asking, send };
}

const toldOf = (bo: Stranger, message: JsonObject) =>
  bo.heardAt(`webhook/${String(message.message_id)}`).filter(({ type }) => type === "receipt");

/** Whether what was said is a receipt that its giver signed for this message. */
function isGood(receipt: unknown, { from_agent_id, content }: JsonObject): Promise<boolean> {
  const found = receiptOf(receipt as JsonObject);
  if (!found) return Promise.resolve(false);
  const covered = { from_agent_id: String(from_agent_id), content_hash: sha256Hex(String(content)) };
  return verifyReceipt({ ...found, ...covered }, verifier.verify);
}

test("who asks for receipts is answered one, signed, that names our commit; `received` is left out", async () => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  const { status, json } = await send(message);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    success: true,
    queued: true,
    queue_position: 1,
    receipt: {
      agent_id: ana.id,
      message_id: message.message_id,
      rung: "stored",
      commit: ana.journal.of(String(message.message_id))[0]?.hash,
      detail: null,
    },
  });
  expect(await isGood(json.receipt, message)).toBe(true);
  expect(bo.heard).toEqual([]);
});

test.each<[string, JsonObject]>([
  ["nothing", {}],
  ["another number of receipts", { receipts: 2 }],
  ["receipts in words", { receipts: "1" }],
  ["receipts as true", { receipts: true }],
])(
  "who asks for %s is answered and called as before, whatever becomes of the message",
  async (_title, metadata) => {
    const { net, ana, bo, asking, send } = await nodeAndAsker();
    await using _ = net;
    const [read, late] = [asking({ metadata }), asking({ metadata })];
    expect((await send(read)).json).toEqual({ success: true, queued: true, queue_position: 1 });
    await send(late);
    await ana.tool("get_message", { message_id: read.message_id });
    await ana.tool("respond_message", { message_id: read.message_id, response: "!" });
    await net.clock.advance(HOUR_MS + 1);
    await ana.job("messages.purge");
    await net.settle();
    const types = bo.heard.filter(({ method }) => method === "POST").map(({ body }) => body.type);
    expect(types).toEqual(["received", "received", "responding", "response"]);
    expect(ana.journal.events.filter(({ act }) => act === "receipt.given")).toEqual([]);
  },
);

test("a repeat that asks is refused with the same receipt; one that does not, without", async () => {
  const { net, asking, send, bo } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  const first = await send(message);
  await net.clock.advance(MINUTE_MS);
  const again = await send(asking({ message_id: String(message.message_id) }));
  expect(again).toMatchObject({ status: 409, json: { error: expect.any(String) } });
  expect(again.json.receipt).toEqual(first.json.receipt);
  const silent = await send(bo.message({ message_id: String(message.message_id) }));
  expect(silent.status).toBe(409);
  expect(silent.json.receipt).toBeUndefined();
});

test("nobody gets the receipt of a message that another agent brought", async () => {
  const { net, ana, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  const cy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  const { message_id, metadata } = message as { message_id: string; metadata: JsonObject };
  const answer = await cy.post(ana, "message", cy.message({ message_id, metadata }));
  expect(answer.status).toBe(409);
  expect(answer.json).not.toHaveProperty("receipt");
});

test("what somebody else brought is receipted to who brought it, and by the webhook to who wrote it", async () => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const origin_agent_id = "ab".repeat(32);
  const message = asking({ metadata: { receipts: 1, origin_agent_id } });
  const { json } = await send(message);
  expect(await isGood(json.receipt, message)).toBe(true);
  expect(toldOf(bo, message)).toEqual([{ type: "receipt", agent_id: ana.id, receipt: json.receipt }]);
  expect(bo.heard.map(({ body }) => body.type)).toContain("received");
  await ana.tool("get_message", { message_id: message.message_id });
  expect(ana.journal.of(String(message.message_id)).map(({ act, peer }) => [act, peer])).toEqual([
    ["message.received", bo.id],
    ["receipt.given", origin_agent_id],
  ]);
});

test.each<[string, StrangerAnswer]>([
  ["answers with an error", [500]],
  ["has no time", [429]],
])("a sender that %s is told again by the job, the same, until it has heard", async (_title, busy) => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  bo.answers(() => busy);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  bo.answers(() => undefined);
  await net.clock.advance(MINUTE_MS);
  await ana.job("receipts.tell");
  await ana.job("receipts.tell");
  const told = toldOf(bo, message);
  expect(told).toHaveLength(2);
  expect(told[1]).toEqual(told[0]);
  expect(await isGood(told[1]?.receipt, message)).toBe(true);
});

test.each([400, 403, 404, 409])("a sender that refuses with %i is not told again", async (status) => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  bo.answers(() => [status]);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  await ana.job("receipts.tell");
  expect(toldOf(bo, message)).toHaveLength(1);
});

test("a sender that cannot be reached for a day is given up, and that is reported", async () => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  bo.answers(() => [500]);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  await net.clock.advance(DAY_MS);
  await ana.job("receipts.tell");
  expect(toldOf(bo, message)).toHaveLength(2);
  await net.clock.advance(1);
  await ana.job("receipts.tell");
  expect(toldOf(bo, message)).toHaveLength(2);
  expect(ana.reports).toEqual(['receipts.untold {"count":1}']);
  expect(await ana.db.all("SELECT * FROM mesh_receipts_due")).toEqual([]);
});

test("no more than the newest five hundred wait to be told", async () => {
  const { net, ana, bo, asking } = await nodeAndAsker();
  await using _ = net;
  bo.answers(() => [500]);
  const messages = Array.from({ length: RECEIPTS_DUE_MAX + 20 }, () => asking());
  for (const message of messages) {
    await bo.post(ana, "message", message);
    await ana.tool("get_message", { message_id: message.message_id });
  }
  await net.settle();
  const waiting = await ana.db.all("SELECT message_id FROM mesh_receipts_due ORDER BY seq");
  expect(waiting.map(({ message_id }) => message_id)).toEqual(
    messages.slice(-RECEIPTS_DUE_MAX).map(({ message_id }) => message_id),
  );
});

test("a webhook that must not be called hears no receipt", async () => {
  const { net, ana, asking, send } = await nodeAndAsker({ connected: false });
  await using _ = net;
  ana.configure({ publicUrl: "https://ana.example" });
  const message = asking({ webhook: "http://192.168.7.99:9000/__darkmatter__/webhook/private" });
  expect((await send(message)).status).toBe(200);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  expect(await ana.db.all("SELECT * FROM mesh_receipts_due")).toEqual([]);
});

test("a rung that was due when its sender got blocked is not told", async () => {
  const { net, ana, bo, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  bo.answers(() => [500]);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  await ana.tool("connection", { action: "block", agent_id: bo.id });
  await ana.job("receipts.tell");
  expect(toldOf(bo, message)).toHaveLength(1);
});

test.each([
  ["INSERT INTO mesh_receipts_due", "get_message"],
  ["INSERT INTO journal", "get_message"],
  ["INSERT INTO mesh_receipts_due", "list_inbox"],
])("when %s fails, %s reads nothing and says nothing; the next time does both", async (at, tool) => {
  const { net, ana, bo, faults, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  await send(message);
  faults.failNext(at, sqliteFault(INTERNAL));
  const read = () => ana.tool(tool, tool === "get_message" ? { message_id: message.message_id } : {});
  await read().catch(() => undefined);
  await net.settle();
  expect(await ana.db.all("SELECT read_at_ms FROM mesh_inbox")).toEqual([{ read_at_ms: null }]);
  expect(ana.journal.events.map(({ act }) => act)).not.toContain("receipt.given");
  expect(toldOf(bo, message)).toEqual([]);
  faults.heal();
  await read();
  await net.settle();
  expect(toldOf(bo, message)).toHaveLength(1);
});

test("an act whose transaction fails gives no receipt for it", async () => {
  const { net, ana, bo, faults, asking, send } = await nodeAndAsker();
  await using _ = net;
  const message = asking();
  faults.failNext("COMMIT", sqliteFault(13));
  const refused = await send(message);
  expect(refused.status).toBeGreaterThanOrEqual(500);
  expect(refused.json).not.toHaveProperty("receipt");
  await send(message);
  faults.failNext("INSERT INTO mesh_receipts_due", sqliteFault(INTERNAL));
  const reply = { message_id: message.message_id, response: "!" };
  await ana.tool("respond_message", reply).catch(() => undefined);
  expect(toldOf(bo, message)).toEqual([]);
  expect(ana.journal.events.map(({ act }) => act)).not.toContain("message.answered");
  faults.heal();
  await ana.job("messages.finish-answers");
  await net.settle();
  expect(toldOf(bo, message)).toMatchObject([
    { receipt: { rung: "acted", commit: ana.journal.events.at(-1)?.hash } },
  ]);
});

test("a receipt that waits for its sender outlives the process, and is told at the next start", async () => {
  await using net = await memoryNetwork({ nodes: ["other"] });
  const host = net.hosts.other;
  const bo = stranger(net.clock, host);
  await using db = await memoryDatabase(meshMigrations);
  const place = { host: "127.0.0.1", port: 8150, seed: new Uint8Array(32).fill(7) };
  const start = () => testNode({ clock: net.clock, random: seededRandom(3), wire: host.wire, db, ...place });
  const before = await start();
  const message = bo.message({ metadata: { receipts: 1, origin_agent_id: bo.id } });
  await bo.post(before, "message", message);
  bo.answers(() => [500]);
  await before.tool("get_message", { message_id: message.message_id });
  await before.mesh.idle();
  bo.answers(() => undefined);
  const after = await start();
  for (const job of after.mesh.jobs.filter(({ atStart }) => atStart)) await job.run();
  const told = toldOf(bo, message);
  expect(told).toHaveLength(2);
  expect(told[1]).toEqual(told[0]);
});
