import type { JsonObject } from "@darkmatter/core";
import { journalMigrations, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createFaults, sqliteFault } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { meshMigrations } from "../schema.ts";
import { memoryNetwork, stranger } from "../testing.ts";
import { liveIds } from "./seen.ts";

const FULL = 13;
const IO_ERROR = 10;
const INTERNAL = 2;
/** When a memory network begins. */
const STARTED_MS = Date.parse("2026-03-05T12:00:00Z");

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };

/** A node whose database fails when told, and a connected agent driven by hand. */
async function faultyNode() {
  const faults = createFaults();
  const db = await openSqlite({ path: ":memory:", onStatement: faults.onStatement });
  await migrate(db, [...storeMigrations, ...journalMigrations, ...meshMigrations]);
  const net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS, dbOf: { ana: db } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const send = (message: JsonObject) => bo.post(ana, "message", message);
  return { net, ana, bo, faults, send };
}

/** Everything a message writes, as numbers. */
async function traces({ db }: Awaited<ReturnType<typeof faultyNode>>["ana"]) {
  const count = async (sql: string) => Number((await db.get<{ n: number }>(sql))?.n);
  return {
    inbox: await count("SELECT count(*) AS n FROM mesh_inbox"),
    unread: await count("SELECT unread AS n FROM mesh_tally"),
    handled: await count("SELECT handled AS n FROM mesh_tally"),
    seen: (await liveIds(db, STARTED_MS)).length,
    journal: await count("SELECT count(*) AS n FROM journal WHERE act = 'message.received'"),
    conversation: await count("SELECT count(*) AS n FROM mesh_conversation"),
    counted: await count("SELECT messages_received AS n FROM mesh_connections"),
  };
}

const landed = (messages: number) => ({
  inbox: messages,
  unread: messages,
  handled: messages,
  seen: messages,
  journal: messages,
  conversation: messages,
  counted: messages,
});

test.each([
  ["a full disk", "COMMIT", FULL],
  ["a failing disk", "COMMIT", IO_ERROR],
  ["a full disk", "INSERT INTO journal", FULL],
  ["a failing disk", "INSERT INTO mesh_inbox", IO_ERROR],
])(
  "with %s at %s the sender hears 5xx, nothing is kept, and the same message is taken next",
  async (_title, at, code) => {
    const { net, ana, bo, faults, send } = await faultyNode();
    await using _ = net;
    const messages = [bo.message(), bo.message(), bo.message()];
    faults.failNext(at, sqliteFault(code));
    const answers = await Promise.all(messages.map(send));
    for (const { status } of answers) expect(status).toBeGreaterThanOrEqual(500);
    expect(await traces(ana)).toEqual(landed(0));
    expect((await send(messages[0] ?? {})).status).toBe(200);
    expect(await traces(ana)).toEqual(landed(1));
  },
);

test("on a disk that stays full nothing acknowledged is lost, and it heals", async () => {
  const { net, ana, bo, faults, send } = await faultyNode();
  await using _ = net;
  for (let at = 0; at < 3; at++) expect((await send(bo.message())).status).toBe(200);
  faults.failAlways("COMMIT", sqliteFault(FULL));
  for (let at = 0; at < 3; at++) expect((await send(bo.message())).status).toBe(507);
  expect((await ana.tool("list_inbox")).total).toBeUndefined();
  faults.heal();
  expect(await traces(ana)).toMatchObject({ inbox: 3, handled: 3, seen: 3, journal: 3 });
  expect((await send(bo.message())).status).toBe(200);
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 4 });
});

test.each([
  "UPDATE mesh_tally",
  "INSERT INTO mesh_inbox",
  "UPDATE mesh_connections",
  "INSERT INTO mesh_conversation",
  "INSERT INTO journal",
])("a message that fails at %s undoes only itself; its neighbours land whole", async (at) => {
  const { net, ana, bo, faults, send } = await faultyNode();
  await using _ = net;
  const messages = Array.from({ length: 5 }, () => bo.message());
  faults.failNext(at, sqliteFault(INTERNAL), 2);
  const answers = await Promise.all(messages.map(send));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(4);
  expect(statuses.filter((status) => status === 500)).toHaveLength(1);
  expect(await traces(ana)).toEqual(landed(4));
  const refused = messages[statuses.indexOf(500)] ?? {};
  expect((await send(refused)).status).toBe(200);
  expect(await traces(ana)).toEqual(landed(5));
});

test("a message is not sent when its record cannot be written", async () => {
  const { net, ana, bo, faults } = await faultyNode();
  await using _ = net;
  faults.failNext("COMMIT", sqliteFault(FULL));
  expect(await ana.tool("send_message", { content: "hi", target_agent_id: bo.id })).toMatchObject({
    success: false,
  });
  expect(bo.heardAt("/message")).toEqual([]);
  expect(await ana.tool("list_messages")).toMatchObject({ total: 0 });
});

test("a reply does not leave when it cannot be written down; one that arrived is brought to its end later", async () => {
  const { net, ana, bo, faults, send } = await faultyNode();
  await using _ = net;
  const message = bo.message();
  await send(message);
  await net.settle();
  const id = String(message.message_id);
  const replies = () => bo.heardAt(id).filter(({ type }) => type === "response").length;
  faults.failNext("UPDATE mesh_inbox SET answer", sqliteFault(FULL));
  const reply = () => ana.tool("respond_message", { message_id: id, response: "42" });
  expect(await reply()).toMatchObject({ success: false });
  expect(replies()).toBe(0);
  faults.failNext("DELETE FROM mesh_inbox", sqliteFault(FULL));
  expect(await reply()).toMatchObject({ success: false });
  expect(replies()).toBe(1);
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
  await ana.job("messages.finish-answers");
  expect(await ana.db.all("SELECT * FROM mesh_inbox")).toEqual([]);
});
