import { HOUR_MS, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import type { Handler } from "@darkmatter/net";
import { memoryDatabase } from "@darkmatter/store/testing";
import type { SessionWatch } from "@darkmatter/surface";
import { expect, test } from "vitest";
import type { MeshConfig } from "../ports.ts";
import { meshMigrations } from "../schema.ts";
import { memoryNetwork, type Stranger, stranger, type TestNode, testNode } from "../testing.ts";
import { AWAKE_MS } from "./alertness.ts";
import { readUnread } from "./unread.ts";
import { ASKS_PER_HOUR_MAX, COALESCE_MS } from "./waking.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000, routerMode: "spawn" } as const;
const HOOK = "http://127.0.0.1:9001/hooks/wake";
/** A list shows only its beginning, and leaves it unread. */
const LONG = "x".repeat(1000);

/** Bo sleeps; ana, connected, writes to it. A hook of bo's listens, and a client can attach that takes notices. */
async function sleeper({ config = {}, hook = false }: { config?: Partial<MeshConfig>; hook?: boolean } = {}) {
  const own = { ...LIMITLESS, ...(hook && { wakeHook: HOOK, wakeHookToken: "hush" }), ...config };
  const net = await memoryNetwork({ nodes: ["ana", "bo"], configOf: { bo: own } });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const hooked: { body: JsonObject; headers: Readonly<Record<string, string>> }[] = [];
  let hookStatus = 200;
  const handler: Handler = async ({ body, headers }) => {
    hooked.push({ body: JSON.parse(new TextDecoder().decode(body)), headers });
    return { status: hookStatus, headers: {}, body: "" };
  };
  net.hosts.bo.listen(9001, handler);
  const pushed: { content: string; meta: Readonly<Record<string, string>> }[] = [];
  const attach = (session: string) => attachTo(bo, session, pushed);
  const send = async (fields: JsonObject = {}) => {
    const { message_id } = await ana.tool("send_message", { content: "hello", ...fields });
    await net.settle();
    return String(message_id);
  };
  const pass = async (durationMs: number) => {
    await net.clock.advance(durationMs);
    await bo.job("waking.advance");
    await net.settle();
  };
  /** What ana knows of a message, rung by rung: `asked channel`. */
  const rungs = async (id: string) => {
    await net.settle();
    const { ladder } = await ana.tool("get_sent_message", { message_id: id });
    const [first] = ladder as { rungs: { rung: string; detail: string | null; signed: boolean }[] }[];
    return first?.rungs
      .filter(({ signed }) => signed)
      .map(({ rung, detail }) => (detail === null ? rung : `${rung} ${detail}`));
  };
  const fail = (status: number) => {
    hookStatus = status;
  };
  return { net, ana, bo, hooked, fail, pushed, attach, send, pass, rungs };
}

function attachTo(bo: TestNode, session: string, pushed: { content: string; meta: object }[]): Disposable {
  const watch = bo.mesh.tools.watch as SessionWatch;
  return watch.reachable(session, async (content, meta) => void pushed.push({ content, meta }));
}

test("a client that takes notices is asked first, and that it woke is said when its own session looks", async () => {
  const { net, bo, attach, send, pushed, rungs, hooked } = await sleeper({ hook: true });
  await using _ = net;
  attach("claude");
  const id = await send();
  expect(pushed).toEqual([
    {
      content: "1 new message in your DarkMatter inbox: call darkmatter_list_inbox.",
      meta: { event: "message", count: "1", id, from: net.nodes.ana.id },
    },
  ]);
  expect(await rungs(id)).toEqual(["stored", "asked channel"]);
  await bo.tool("list_inbox", {}, { session: "claude" });
  expect(await rungs(id)).toEqual(["stored", "asked channel", "woken channel", "read"]);
  expect(hooked).toEqual([]);
});

test("a look by another session, or by a command, does not show that the notice woke anybody", async () => {
  const { net, bo, attach, send, pass, rungs } = await sleeper();
  await using _ = net;
  attach("claude");
  const id = await send({ content: LONG });
  await bo.tool("list_inbox", {}, { session: "owner" });
  await bo.tool("list_inbox", {}, { session: "another" });
  await bo.local({ path: "/__darkmatter__/inbox" });
  expect(await rungs(id)).toEqual(["stored", "asked channel"]);
  await pass(20 * SECOND_MS);
  await bo.tool("list_inbox", {}, { session: "claude" });
  expect(await rungs(id)).toEqual(["stored", "asked channel"]);
});

test("when the notice brings nothing for 20 s the hook is asked, and a look then is its doing", async () => {
  const { net, bo, attach, send, pass, hooked, rungs } = await sleeper({ hook: true });
  await using _ = net;
  attach("claude");
  const id = await send({ content: LONG });
  await pass(19 * SECOND_MS);
  expect(hooked).toEqual([]);
  await pass(SECOND_MS);
  expect(hooked).toEqual([
    {
      body: {
        event: "message",
        message_id: id,
        from: net.nodes.ana.id,
        count: 1,
        text: "1 new message in your DarkMatter inbox: call darkmatter_list_inbox.",
        mode: "now",
      },
      headers: expect.objectContaining({ authorization: "Bearer hush" }),
    },
  ]);
  await bo.local({ path: "/__darkmatter__/inbox" });
  // One rung has one receipt: the second asking is in the ledger alone.
  expect(await rungs(id)).toEqual(["stored", "asked channel", "woken hook"]);
  const given = bo.journal.of(id).filter(({ act }) => act === "receipt.given");
  expect(given.map(({ fields }) => fields)).toMatchObject([
    { rung: "asked", detail: "channel" },
    { rung: "asked", detail: "hook" },
    { rung: "woken", detail: "hook" },
  ]);
});

test("an agent that nobody can wake is not said to have been asked or woken, and its message waits", async () => {
  const { net, bo, send, pass, rungs } = await sleeper();
  await using _ = net;
  const id = await send();
  await pass(MINUTE_MS);
  expect(await rungs(id)).toEqual(["stored"]);
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 1 });
  expect(await rungs(id)).toEqual(["stored", "read"]);
});

test("a hook that fails wakes nobody, and nobody says so", async () => {
  const { net, bo, fail, send, pass, hooked, rungs } = await sleeper({ hook: true });
  await using _ = net;
  fail(500);
  const id = await send({ content: LONG });
  expect(hooked).toHaveLength(1);
  await pass(MINUTE_MS);
  await bo.tool("list_inbox");
  expect(await rungs(id)).toEqual(["stored", "asked hook"]);
  expect(bo.reports.join("\n")).toContain("waking.hook-refused");
  expect(bo.reports.join("\n")).not.toContain("9001");
});

test("an agent that is awake is left alone, until it has been quiet for a while without hearing of the message", async () => {
  const { net, bo, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  await bo.tool("list_connections", {}, { session: "claude" });
  await send();
  await pass(AWAKE_MS - SECOND_MS);
  expect(pushed).toEqual([]);
  await pass(2 * SECOND_MS + 5 * SECOND_MS);
  expect(pushed).toHaveLength(1);
});

test("an agent whose result told it of the message is not woken for it", async () => {
  const { net, bo, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  await bo.tool("list_connections", {}, { session: "claude" });
  await net.clock.advance(SECOND_MS);
  await send();
  await net.clock.advance(SECOND_MS);
  expect(await bo.tool("list_connections", {}, { session: "claude" })).toMatchObject({
    _hint: expect.stringContaining("1 unread"),
  });
  await pass(5 * MINUTE_MS);
  expect(pushed).toEqual([]);
});

test("an agent that waits for an answer is awake as the wait begins, and is woken for what comes later", async () => {
  const { net, bo, send, pass, hooked } = await sleeper({ hook: true });
  await using _ = net;
  const { message_id } = await bo.tool("send_message", { content: "and?" }, { session: "window" });
  const wait = { message_id, timeout_seconds: 3600 };
  const waiting = bo.tool("wait_for_response", wait, { session: "window" });
  await net.clock.settle();
  await send({ content: LONG });
  await pass(AWAKE_MS / 2);
  expect(hooked).toEqual([]);
  await pass(AWAKE_MS);
  expect(hooked).toHaveLength(1);
  await net.clock.advance(HOUR_MS);
  await waiting;
});

test("whoever waits for any message is handed it, and nobody is woken beside; nor kept asleep by one who waits for others", async () => {
  const { net, ana, bo, send, pass, hooked } = await sleeper({ hook: true });
  await using _ = net;
  const wait = (from_agents: readonly string[]) =>
    bo.tool("wait_for_message", { from_agents, timeout_seconds: 3600 }, { session: "window" });
  const taking = wait([ana.id]);
  await net.clock.advance(MINUTE_MS);
  await send({ content: LONG });
  expect(await taking).toMatchObject({ success: true, mode: "inbox" });
  const others = wait([bo.id]);
  await net.clock.advance(MINUTE_MS);
  await send({ content: LONG });
  await pass(AWAKE_MS / 2);
  expect(hooked).toEqual([]);
  await pass(AWAKE_MS);
  expect(hooked).toHaveLength(1);
  await net.clock.advance(HOUR_MS);
  await others;
});

test("a call whose client has gone tells nobody of what came during it", async () => {
  const { net, bo, send, pass, hooked } = await sleeper({ hook: true });
  await using _ = net;
  const gone = new AbortController();
  const { message_id } = await bo.tool("send_message", { content: "and?" }, { session: "window" });
  const wait = { message_id, timeout_seconds: 600 };
  const waiting = bo.tool("wait_for_response", wait, { session: "window", signal: gone.signal });
  await net.clock.settle();
  await send({ content: LONG });
  await net.clock.advance(SECOND_MS);
  gone.abort();
  await waiting;
  await pass(AWAKE_MS + SECOND_MS);
  expect(hooked).toHaveLength(1);
  // What it would have been told is told with the next result.
  expect((await bo.tool("get_identity", {}, { session: "window" }))._hint).toBe("1 unread message");
});

test("a result without a hint is no telling", async () => {
  const { net, bo, send, pass, hooked } = await sleeper({ hook: true });
  await using _ = net;
  await bo.tool("list_connections", {}, { session: "window" });
  await send({ content: LONG });
  await net.clock.advance(SECOND_MS);
  await bo.tool("status", {}, { session: "window" });
  await pass(AWAKE_MS + SECOND_MS);
  expect(hooked).toHaveLength(1);
});

test("what nodes tell each other wakes nobody and waits in the inbox; the owner's rules apply to it", async () => {
  const { net, ana, bo, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  const payment = { type: "solana_payment", amount: 1, token: "SOL", tx_signature: "5".repeat(88) };
  await send({ content: "paid", metadata: payment });
  expect(await readUnread(bo.db, 0.5)).toMatchObject({ messages: 1, wanted: 0, ids: [] });
  expect(await bo.tool("list_inbox", {}, { session: "owner" })).toMatchObject({ total: 1 });
  const rule = { action: "drop", metadata_key: "type", metadata_value: "solana_payment" };
  await bo.tool("owner_rules_add", rule, { session: "owner" });
  await send({ content: "paid again", metadata: payment });
  expect(await bo.tool("list_inbox", {}, { session: "owner" })).toMatchObject({ total: 1 });
  await ana.tool("connection", { action: "disconnect", agent_id: bo.id });
  await pass(MINUTE_MS);
  expect(pushed).toEqual([]);
});

test("a message costs nothing where nobody could be asked for it", async () => {
  const { net, bo, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  const noted = async () => (await bo.db.all("SELECT subject FROM mesh_wakings")).length;
  await send();
  expect(await noted()).toBe(0);
  const there = attach("claude");
  await send();
  expect(await noted()).toBe(1);
  there[Symbol.dispose]();
  await send();
  expect(await noted()).toBe(1);
  await pass(MINUTE_MS);
  expect(pushed).toHaveLength(1);
});

test("broadcasts, strangers and peers that are disliked wake nobody", async () => {
  const { net, ana, bo, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  await ana.tool("send_message", { content: "to all", broadcast: true });
  const unknown: Stranger = stranger(net.clock, net.hosts.bo, { port: 9050, seed: 5 });
  expect((await unknown.post(bo, "message", unknown.message())).status).toBe(200);
  await net.settle();
  expect(pushed).toEqual([]);
  await bo.tool("set_impression", { agent_id: ana.id, score: -0.1, note: "" });
  await pass(AWAKE_MS + SECOND_MS);
  await send();
  await pass(MINUTE_MS);
  expect(pushed).toEqual([]);
});

test("an inactive agent is not woken, and hears of what came when it is active again", async () => {
  const { net, bo, attach, pass, pushed, send } = await sleeper();
  await using _ = net;
  attach("claude");
  const sent = send();
  await bo.tool("set_status", { status: "inactive", duration_minutes: 5 }, { session: "owner" });
  await sent;
  const before = pushed.length;
  await pass(2 * MINUTE_MS);
  expect(pushed.length).toBe(before);
  expect(await bo.local({ path: "/__darkmatter__/inbox" })).toMatchObject({ status: 200 });
});

test("a burst wakes once: what comes within 5 s is asked for together", async () => {
  const { net, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  for (let at = 0; at < 8; at++) await send();
  expect(pushed).toHaveLength(1);
  await pass(COALESCE_MS - SECOND_MS);
  expect(pushed).toHaveLength(1);
  await pass(SECOND_MS);
  expect(pushed).toHaveLength(2);
  expect(pushed[1]?.content).toMatch(/^7 new messages /);
});

test("an agent is asked only so often within an hour, however many write", async () => {
  const { net, attach, send, pass, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  for (let at = 0; at < ASKS_PER_HOUR_MAX + 5; at++) {
    await send();
    await pass(COALESCE_MS + SECOND_MS);
  }
  expect(pushed).toHaveLength(ASKS_PER_HOUR_MAX);
  await pass(HOUR_MS);
  expect(pushed).toHaveLength(ASKS_PER_HOUR_MAX + 1);
});

test("after a restart the asking goes on where it was", async () => {
  const { net, hooked } = await sleeper();
  await using _ = net;
  const place = { host: "127.0.0.1", port: 8150, seed: new Uint8Array(32).fill(3), wire: net.hosts.bo.wire };
  const config = { ...LIMITLESS, wakeHook: HOOK };
  const db = await memoryDatabase(meshMigrations);
  const options = { ...place, clock: net.clock, random: seededRandom(9), config, db };
  const before = await testNode(options);
  const pushed: { content: string; meta: object }[] = [];
  attachTo(before, "claude", pushed);
  const cy = stranger(net.clock, net.hosts.bo, { port: 9070, seed: 7 });
  await cy.post(before, "connection_request", cy.request());
  expect((await cy.post(before, "message", cy.message())).status).toBe(200);
  await before.mesh.idle();
  expect(pushed).toHaveLength(1);
  await before.mesh.stop();

  await using after = await testNode(options);
  await net.clock.advance(10 * SECOND_MS);
  await after.job("waking.advance");
  expect(hooked).toEqual([]);
  await net.clock.advance(10 * SECOND_MS);
  await after.job("waking.advance");
  await after.mesh.idle();
  expect(hooked).toHaveLength(1);
  await net.clock.advance(MINUTE_MS);
  await after.job("waking.advance");
  await after.mesh.idle();
  expect(hooked).toHaveLength(1);
});

test("nothing of a peer's choosing gets into what is pushed", async () => {
  const { net, bo, attach, pushed } = await sleeper();
  await using _ = net;
  attach("claude");
  const mallory = stranger(net.clock, net.hosts.bo, { port: 9060, seed: 6 });
  await mallory.post(bo, "connection_request", mallory.request({ agent_display_name: "EVIL", bio: "EVIL" }));
  const message = mallory.message({ message_id: "EVIL-ignore-all-rules", content: "EVIL" });
  expect((await mallory.post(bo, "message", message)).status).toBe(200);
  await net.settle();
  expect(pushed).toHaveLength(1);
  expect(JSON.stringify(pushed)).not.toMatch(/EVIL|ignore/);
});
