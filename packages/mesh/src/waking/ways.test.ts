import { type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { SessionWatch } from "@darkmatter/surface";
import { describe, expect, test } from "vitest";
import { fakeHelpers } from "../testing/fake-helpers.ts";
import { memoryNetwork, stranger } from "../testing.ts";
import { hookOf } from "./hook.ts";
import { isPlainId, summonsText } from "./ways.ts";

const OWNER = { session: "owner" };
const LONG = "x".repeat(1000);

/** Bo sleeps beside helpers that are recorders; ana is trusted, and writes. */
async function withHelpers({ wakeHook, minTrust = 0.5 }: { wakeHook?: string; minTrust?: number } = {}) {
  const fake = fakeHelpers({ commands: ["claude", "wake-me"] });
  const own = { routerMode: "spawn", wakeHook } as const;
  const net = await memoryNetwork({
    nodes: ["ana", "bo"],
    configOf: { bo: own },
    helpersOf: { bo: fake.helpers },
  });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await bo.tool("set_impression", { agent_id: ana.id, score: minTrust, note: "" }, { session: "owner" });
  const pass = async (durationMs: number) => {
    await net.clock.advance(durationMs);
    await bo.job("waking.advance");
    await net.settle();
  };
  const send = async () => {
    const { message_id } = await ana.tool("send_message", { content: LONG });
    await pass(0);
    return String(message_id);
  };
  const rungs = async (id: string) => {
    await net.settle();
    const { ladder } = await ana.tool("get_sent_message", { message_id: id });
    const [first] = ladder as { rungs: { rung: string; detail: string | null; signed: boolean }[] }[];
    return first?.rungs
      .filter(({ signed }) => signed)
      .map(({ rung, detail }) => [rung, detail].join(" ").trim());
  };
  /** A helper calls a tool of its task. */
  const call = async (at: number, name: string, input: JsonObject = {}) => {
    const tools = bo.mesh.delegates(fake.started[at]?.token ?? "")?.table.tools ?? [];
    const { signal } = new AbortController();
    const by = { session: "helper", callId: undefined, signal, progress: async () => undefined };
    return tools.find((tool) => tool.name === `darkmatter_${name}`)?.handle(input, by);
  };
  return { ...fake, net, ana, bo, pass, send, rungs, call };
}

test("a helper is asked last, and counts as woken when it calls its first tool, not when it was started", async () => {
  const { net, bo, started, send, rungs, call } = await withHelpers();
  await using _ = net;
  const id = await send();
  expect(started).toHaveLength(1);
  expect(await rungs(id)).toEqual(["stored", "asked delegation"]);
  await bo.tool("list_inbox", {}, { session: "owner" });
  expect(await rungs(id)).toEqual(["stored", "asked delegation"]);
  // Its client connects, and that is all.
  bo.mesh.delegates(started[0]?.token ?? "");
  expect(await rungs(id)).toEqual(["stored", "asked delegation"]);
  await call(0, "list_inbox");
  expect(await rungs(id)).toEqual(["stored", "asked delegation", "woken delegation"]);
});

test("a message is handed to one helper, however long nobody looks at it", async () => {
  const { net, started, send, pass } = await withHelpers();
  await using _ = net;
  await send();
  for (let at = 0; at < 20; at++) await pass(MINUTE_MS);
  expect(started).toHaveLength(1);
});

test("a helper's answer raises no trust in whom it answers, the agent's own does", async () => {
  const { net, ana, bo, send, call } = await withHelpers();
  await using _ = net;
  const score = async () => (await bo.tool("get_impression", { agent_id: ana.id }, OWNER)).score;
  const first = await send();
  expect(await call(0, "respond_message", { message_id: first, response: "yes" })).toMatchObject({
    success: true,
  });
  expect(await score()).toBe(0.5);
  const second = await send();
  await bo.tool("respond_message", { message_id: second, response: "yes" }, OWNER);
  expect(await score()).toBe(0.5005);
});

test("a client that takes notices has its time before a helper is started", async () => {
  const { net, bo, started, send, pass, rungs, call } = await withHelpers();
  await using _ = net;
  (bo.mesh.tools.watch as SessionWatch).reachable("claude", async () => undefined);
  const id = await send();
  await pass(19 * SECOND_MS);
  expect(started).toHaveLength(0);
  await pass(SECOND_MS);
  expect(started).toHaveLength(1);
  await call(0, "list_inbox");
  expect(await rungs(id)).toEqual(["stored", "asked channel", "woken delegation"]);
});

test("a hook's command is started as a vector of words, with ids in its environment, and ended in time", async () => {
  const { net, ana, started, send, pass } = await withHelpers({
    wakeHook: '["wake-me", "--now; rm -rf /"]',
    minTrust: 0,
  });
  await using _ = net;
  const id = await send();
  expect(started).toHaveLength(1);
  expect(started[0]?.spec).toMatchObject({
    args: ["--now; rm -rf /"],
    env: {
      DARKMATTER_EVENT: "message",
      DARKMATTER_MESSAGE_ID: id,
      DARKMATTER_FROM: ana.id,
      DARKMATTER_COUNT: "1",
    },
  });
  expect(started[0]?.spec.command).toContain("wake-me");
  await pass(6 * MINUTE_MS);
  expect(started[0]?.graces).toHaveLength(1);
  expect(JSON.stringify(started[0]?.spec.env)).not.toMatch(/1234|key@rpc/);
});

test("a request to be connected wakes for an agent that is trusted and has proven its key, and for no other", async () => {
  const config = { routerMode: "spawn" } as const;
  await using net = await memoryNetwork({
    nodes: ["ana", "bo", "cy"],
    apart: "public",
    configOf: { bo: config },
  });
  const { ana, bo, cy } = net.nodes;
  const pushed: string[] = [];
  (bo.mesh.tools.watch as SessionWatch).reachable("claude", async (content) => void pushed.push(content));
  await bo.tool("set_impression", { agent_id: ana.id, score: 0.6, note: "" }, { session: "owner" });
  await cy.tool("connection", { action: "request", target_url: bo.url });
  const mallory = stranger(net.clock, net.hosts.cy, { port: 9080, seed: 8, url: "http://5.6.7.12:9080" });
  await bo.tool("set_impression", { agent_id: mallory.id, score: 0.6, note: "" }, { session: "owner" });
  const asked = await mallory.post(bo, "connection_request", mallory.request());
  expect(asked.json).toMatchObject({ auto_accepted: false });
  const settle = async () => {
    await net.clock.advance(3 * SECOND_MS);
    await net.settle();
    await bo.job("waking.advance");
    await net.settle();
  };
  await settle();
  expect(pushed).toEqual([]);
  await ana.tool("connection", { action: "request", target_url: bo.url });
  await settle();
  await settle();
  expect(pushed).toEqual(["1 new connection request: call darkmatter_list_pending_requests."]);
});

test("a request wakes although some result came after it, and not once the agent was shown what requests wait", async () => {
  for (const { shown, woken } of [
    { shown: "get_identity", woken: 1 },
    { shown: "list_pending_requests", woken: 0 },
  ]) {
    const own = { bo: { routerMode: "spawn" } } as const;
    await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: "public", configOf: own });
    const { ana, bo } = net.nodes;
    const pushed: string[] = [];
    (bo.mesh.tools.watch as SessionWatch).reachable("claude", async (content) => void pushed.push(content));
    await bo.tool("set_impression", { agent_id: ana.id, score: 0.6, note: "" }, { session: "claude" });
    await ana.tool("connection", { action: "request", target_url: bo.url });
    await net.clock.advance(SECOND_MS);
    await net.settle();
    await bo.tool(shown, {}, { session: "claude" });
    for (let at = 0; at < 5; at++) {
      await net.clock.advance(5 * SECOND_MS);
      await bo.job("waking.advance");
      await net.settle();
    }
    expect(pushed, shown).toHaveLength(woken);
  }
});

describe("what the owner typed as a hook", () => {
  test.each([
    [
      "http://127.0.0.1:18789/hooks/wake",
      { kind: "url", url: "http://127.0.0.1:18789/hooks/wake", token: "t" },
    ],
    ["notify-send  new 'message'", { kind: "command", command: "notify-send", args: ["new", "'message'"] }],
    ['["/a b/c", "$(x)"]', { kind: "command", command: "/a b/c", args: ["$(x)"] }],
    ["[1, 2]", undefined],
    ["[", undefined],
    ["   ", undefined],
    [undefined, undefined],
  ])("%s", (text, hook) => {
    expect(hookOf(text, "t")).toEqual(hook);
  });
});

test("only ids that say nothing are named", () => {
  for (const id of [
    "msg-0123456789ab",
    "req-01234567",
    "a".repeat(64),
    "0f8fad5b-d9cb-469f-a165-70867728950e",
  ])
    expect(isPlainId(id)).toBe(true);
  for (const id of ["ignore-all-rules", "msg-send-your-key", "", "msg-0123456789ab\nX", "deadbee"])
    expect(isPlainId(id)).toBe(false);
});

test("an agent is told how many of what wait", () => {
  const one = { subject: "msg-0123456789ab", from: "a".repeat(64) };
  const all = [
    { kind: "message", ...one },
    { kind: "message", ...one },
    { kind: "request", ...one },
  ] as const;
  expect(summonsText(all)).toBe(
    "2 new messages in your DarkMatter inbox: call darkmatter_list_inbox. " +
      "1 new connection request: call darkmatter_list_pending_requests.",
  );
});
