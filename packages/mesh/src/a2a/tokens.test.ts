import { type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { a2aCaller, a2aCallerWith, a2aMessage, OWNER } from "../testing/a2a-caller.ts";
import { memoryNetwork } from "../testing/memory-network.ts";
import { CALLS_PER_MINUTE, FAILURES_PER_MINUTE } from "./callers.ts";
import { OPEN_TASKS_MAX } from "./task.ts";
import { TOKENS_MAX } from "./token.ts";
import { readCallerScore } from "./tokens.store.ts";

const NOW = { configuration: { returnImmediately: true } };
const state = (task: JsonObject) => (task.status as JsonObject).state;

async function oneNode(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  return { net, ana: net.nodes.ana };
}

/** The message of a caller that waits for the agent. */
async function waiting(node: { tool(name: string): Promise<JsonObject> }): Promise<JsonObject[]> {
  return (await node.tool("list_inbox")).messages as JsonObject[];
}

test("without a token that holds, nothing is answered, whoever asks and from wherever", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana, { ttl_seconds: 3600 });
  const wrong = {
    none: undefined,
    "of another scheme": `Basic ${caller.secret}`,
    empty: "Bearer ",
    "of another": `Bearer ${caller.secret.slice(0, -1)}${caller.secret.endsWith("A") ? "B" : "A"}`,
    "its beginning": `Bearer ${caller.secret.slice(0, -1)}`,
  };
  for (const [title, authorization] of Object.entries(wrong)) {
    const { status, headers } = await caller.ask("ListTasks", {}, { authorization });
    expect(status, title).toBe(401);
    expect(headers["www-authenticate"], title).toMatch(/^Bearer realm="a2a"/);
  }
  expect((await caller.ask("ListTasks", {})).status).toBe(200);
});

test("a token ends with its time", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana, { ttl_seconds: 60 });
  await net.clock.advance(MINUTE_MS - 1);
  expect((await caller.ask("ListTasks", {})).status).toBe(200);
  await net.clock.advance(1);
  expect((await caller.ask("ListTasks", {})).status).toBe(401);
  expect(await ana.tool("owner_a2a_list", {}, OWNER)).toMatchObject({
    tokens: [{ name: "phone", expired: true }],
  });
});

test("a revoked token opens nothing, and what it left is withdrawn", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  await caller.leave("hello");
  expect(await ana.tool("owner_a2a_revoke", { name: "phone" }, OWNER)).toMatchObject({ success: true });
  expect((await caller.ask("ListTasks", {})).status).toBe(401);
  expect(await waiting(ana)).toEqual([]);
  expect(await ana.tool("owner_a2a_revoke", { name: "phone" }, OWNER)).toMatchObject({ success: false });
});

test("a token is kept as its hash alone, and never shown again", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const { secret } = await a2aCaller(ana);
  const rows = await ana.db.all("SELECT * FROM mesh_a2a_tokens");
  expect(JSON.stringify([rows, await ana.tool("owner_a2a_list", {}, OWNER)])).not.toContain(secret);
  expect(secret.length).toBeGreaterThan(43);
});

test("tokens are named, few, and hold for a year at most", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const issue = (input: object) => ana.tool("owner_a2a_issue", input, OWNER);
  for (const name of ["Phone", "a b", "", "-a", "x".repeat(41), ana.id]) {
    expect(await issue({ name }), name).toMatchObject({ success: false });
  }
  expect(await issue({ name: "a", ttl_seconds: 366 * 86_400 })).toMatchObject({ success: false });
  for (let at = 0; at < TOKENS_MAX; at++)
    expect(await issue({ name: `t${at}` })).toMatchObject({ success: true });
  expect(await issue({ name: "one-more" })).toMatchObject({ success: false });
  expect(await issue({ name: "t0" })).toMatchObject({ success: false });
});

test("agents see none of the owner's tools for tokens", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  await expect(ana.tool("owner_a2a_issue", { name: "mine" })).rejects.toThrow("no tool");
});

test("another token's task is no task", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const [phone, tablet] = [await a2aCaller(ana), await a2aCaller(ana, { name: "tablet" })];
  const task = await phone.leave("mine alone");
  expect(await tablet.fails("GetTask", { id: task.id })).toBe(-32001);
  expect(await tablet.fails("CancelTask", { id: task.id })).toBe(-32001);
  expect(await tablet.fails("SubscribeToTask", { id: task.id })).toBe(-32001);
  expect(
    await tablet.fails("SendMessage", { message: a2aMessage("me too", { taskId: task.id }), ...NOW }),
  ).toBe(-32001);
  expect(await tablet.call("ListTasks", {})).toMatchObject({ tasks: [], totalSize: 0 });
  expect(await phone.call("ListTasks", {})).toMatchObject({ tasks: [{ id: task.id }], totalSize: 1 });
});

test("a caller holds so many open tasks, calls so often, and fails so often", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  for (let at = 0; at < OPEN_TASKS_MAX; at++) await caller.leave(`task ${at}`);
  expect(await caller.fails("SendMessage", { message: a2aMessage("too many"), ...NOW })).toBe(-32000);
  const codes: number[] = [];
  for (let at = OPEN_TASKS_MAX + 1; at <= CALLS_PER_MINUTE; at++)
    codes.push((await caller.ask("ListTasks", {})).status);
  expect([...new Set(codes)]).toEqual([200, 429]);

  const guessing = a2aCallerWith(ana, "dma2a_guess");
  for (let at = 0; at < FAILURES_PER_MINUTE; at++)
    expect((await guessing.ask("GetTask", {})).status).toBe(401);
  expect((await guessing.ask("GetTask", {})).status).toBe(429);
  await net.clock.advance(MINUTE_MS);
  expect((await caller.ask("ListTasks", {})).status).toBe(200);
});

test("how far a caller is trusted is what its owner said of the token", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  await a2aCaller(ana);
  await a2aCaller(ana, { name: "pager", may_wake: true });
  expect(await readCallerScore(ana.db, "a2a:phone")).toBe(0);
  expect(await readCallerScore(ana.db, "a2a:pager")).toBe(1);
  expect(await readCallerScore(ana.db, "a2a:nobody")).toBe(0);
  expect(await readCallerScore(ana.db, ana.id)).toBeUndefined();
});

test("only a token that may wake leaves messages for which the agent is woken", async () => {
  const { net, ana } = await oneNode({ routerMode: "spawn", wakeHook: "http://127.0.0.1:1/wake" });
  await using _ = net;
  const waiters = async () => (await ana.db.all("SELECT * FROM mesh_wakings")).length;
  await (await a2aCaller(ana)).leave("no hurry");
  expect(await waiters()).toBe(0);
  await (await a2aCaller(ana, { name: "pager", may_wake: true })).leave("at once, please");
  expect(await waiters()).toBe(1);
});

test("every way in asks for a token before anything else", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const paths = ana.mesh.routes.filter(({ path }) => path.startsWith("/a2a"));
  expect(paths).toHaveLength(6);
  for (const { method, path } of paths) {
    const asked = await callHandler(ana.handler, { method, path: path.replace(":task", "x"), body: "{" });
    expect(asked.status, path).toBe(401);
  }
});

test("a caller that the agent blocked is heard no more", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  await caller.leave("buy now");
  expect(await ana.tool("connection", { action: "block", agent_id: "a2a:phone" })).toMatchObject({
    success: true,
  });
  expect(await waiting(ana)).toEqual([]);
  expect(await caller.fails("SendMessage", { message: a2aMessage("buy now"), ...NOW })).toBe(-32004);
  await ana.tool("connection", { action: "unblock", agent_id: "a2a:phone" });
  expect(state(await caller.leave("sorry"))).toBe("TASK_STATE_SUBMITTED");
});
