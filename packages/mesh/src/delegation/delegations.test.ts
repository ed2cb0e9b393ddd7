import { HOUR_MS, type JsonObject } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, grantText } from "@darkmatter/identity";
import { netError } from "@darkmatter/net";
import { createSqlJournal } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import type { Delegate, ToolCall } from "@darkmatter/surface";
import { toolHarness } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { createBackground } from "../background.ts";
import { writeImpression } from "../impressions/impressions.store.ts";
import type { MeshPorts } from "../ports.ts";
import { meshMigrations } from "../schema.ts";
import { fakeHelpers } from "../testing/fake-helpers.ts";
import { memoryJournal } from "../testing/memory-journal.ts";
import { memoryNetwork, TEST_CONFIG } from "../testing/memory-network.ts";
import { addWaiting } from "./delegations.store.ts";
import { createDelegations } from "./delegations.ts";
import type { Grant } from "./grant.ts";
import { PROFILES } from "./profiles.ts";

const SPAWNING = { routerMode: "spawn" } as const;
const { agent: AGENT } = TEST_CONFIG;
const HELD_CALL: ToolCall = {
  session: "held",
  callId: undefined,
  signal: new AbortController().signal,
  progress: async () => undefined,
};

/** As a helper calls. */
async function call(
  delegate: Delegate | undefined,
  name: string,
  input: JsonObject = {},
): Promise<JsonObject> {
  if (!delegate) throw new TypeError("the token is nobody's");
  return toolHarness(delegate.table).call(`darkmatter_${name}`, input);
}

/** Ana, trusted or not, writes to Bo, whose helpers are recorders. */
async function society({ score = 0.8, config = {}, commands = ["claude"] } = {}) {
  const fake = fakeHelpers({ commands });
  const net = await memoryNetwork({
    nodes: ["ana", "bo", "cy"],
    configOf: { bo: { ...SPAWNING, ...config } },
    helpersOf: { bo: fake.helpers },
  });
  await net.connect("ana", "bo");
  await net.connect("cy", "bo");
  const { ana, bo, cy } = net.nodes;
  for (const peer of [ana, cy]) await bo.tool("set_impression", { agent_id: peer.id, score, note: "" });
  // Looked at its tools a while ago: nobody is awake.
  await net.clock.advance(HOUR_MS);

  const write = async (from: typeof ana, content: string) => {
    const sent = await from.tool("send_message", { content, target_agent_id: bo.id });
    await settled();
    return sent.message_id as string;
  };
  const settled = async () => {
    for (let round = 0; round < 5; round++) {
      await net.settle();
      await net.clock.advance(1000);
    }
  };
  const callBy = (token: string, name: string, input?: JsonObject) =>
    call(bo.mesh.delegates(token), name, input);
  const owner = async (name: string, input: JsonObject = {}) =>
    (await bo.mesh.tools.tools
      .find((tool) => tool.name === `darkmatter_owner_${name}`)
      ?.handle(input, HELD_CALL)) as JsonObject;
  const acts = (act: string) => bo.journal.events.filter((event) => event.act === act);
  return {
    ...fake,
    net,
    ana,
    bo,
    cy,
    write,
    settled,
    call: callBy,
    acts,
    owner,
    [Symbol.asyncDispose]: () => net[Symbol.asyncDispose](),
  };
}

test("a trusted peer's message is handed to one helper, with the least privilege", async () => {
  await using here = await society();
  const id = await here.write(here.ana, "What is the way?");
  const [helper] = here.started;
  expect(here.started).toHaveLength(1);
  expect(helper?.spec).toMatchObject({ command: "/bin/claude", cwd: "/project" });
  expect(helper?.spec.stdin).toContain(id);
  expect(helper?.spec.args).toContain("--strict-mcp-config");
  expect(helper?.spec.args.join(" ")).not.toMatch(/skip-permissions|yolo|full-auto|--force/);
  expect(here.acts("delegation.granted")).toHaveLength(1);
  expect(helper?.spec.env).not.toHaveProperty("CLAUDECODE");
  expect(helper?.spec.env).not.toHaveProperty("DARKMATTER_PIN");
  expect(helper?.spec.env).not.toHaveProperty("DARKMATTER_SOLANA_RPC");
  expect(helper?.spec.env).toMatchObject({
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_ENTRYPOINT_AUTOSTART: "false",
    DARKMATTER_MCP_URL: "http://127.0.0.1:8101/mcp",
  });
  expect(JSON.stringify(helper?.spec.args)).not.toContain(helper?.token);
  expect([...here.folders.values()].join()).not.toBe("");
});

test("a helper is told what was said with the peer it answers, and nothing that others said in private", async () => {
  await using here = await society();
  await here.write(here.cy, "the secret word is plum");
  await here.bo.tool("send_message", { content: "plum noted", target_agent_id: here.cy.id });
  await here.bo.tool("send_message", { content: "welcome", target_agent_id: here.ana.id });
  await here.net.clock.advance(HOUR_MS / 2);
  await here.write(here.ana, "what is the secret word?");
  const prompt = here.started.find(({ spec }) => spec.stdin?.includes(here.ana.id))?.spec.stdin;
  expect(prompt).toContain("welcome");
  expect(prompt).toContain("what is the secret word?");
  expect(prompt).not.toContain("plum");
});

test("autonomous flags only where the owner asked for them", async () => {
  await using here = await society({ config: { agent: { ...AGENT, autonomous: true } } });
  const id = await here.write(here.ana, "hello");
  const [helper] = here.started;
  expect(helper?.spec.args.slice(0, 2)).toEqual(["-p", "--dangerously-skip-permissions"]);
  expect(helper?.spec.args.at(-1)).toContain(id);
  expect(helper?.spec.stdin).toBeUndefined();
});

test("a peer below the least trust starts nothing, and its message stays", async () => {
  await using here = await society({ score: 0.49 });
  const id = await here.write(here.ana, "do this");
  expect(here.started).toHaveLength(0);
  expect(await here.bo.tool("get_message", { message_id: id })).toMatchObject({ content: "do this" });
});

test("where the client's command is missing nothing is handed, and the list says so", async () => {
  await using here = await society({ commands: [] });
  await here.write(here.ana, "hello");
  expect(here.started).toHaveLength(0);
  expect(await here.owner("spawn_list")).toMatchObject({
    command: "claude",
    command_found: false,
    helpers: [],
  });
});

test("a helper reads and answers the message of its task, and its acts are signed with its key", async () => {
  await using here = await society();
  const id = await here.write(here.ana, "What is the way?");
  const [helper] = here.started;
  const token = helper?.token ?? "";
  expect(await here.call(token, "list_inbox")).toMatchObject({ total: 1, messages: [{ message_id: id }] });
  expect(await here.call(token, "get_message", { message_id: id })).toMatchObject({
    content: "What is the way?",
  });
  const answer = { content: "North.", reply_to: id };
  expect(await here.call(token, "send_message", answer)).toMatchObject({ success: true });
  helper?.end({ kind: "exited", code: 0 });
  await here.settled();

  const [granted] = here.acts("delegation.granted");
  const grant = granted?.fields.grant as Grant;
  expect(here.acts("message.answered")).toMatchObject([{ actor: grant.child_public_key }]);
  expect(granted).not.toHaveProperty("actor");
  expect(here.acts("delegation.ended")[0]).not.toHaveProperty("actor");
  expect(here.acts("delegation.ended")).toMatchObject([{ fields: { outcome: "done", exit_code: 0 } }]);
  expect(here.folders.size).toBe(0);
  expect(await here.ana.tool("get_sent_message", { message_id: id })).toMatchObject({
    responses: [{ response: "North." }],
  });
});

test("a helper's token opens no other message", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxConcurrent: 1 } } });
  const own = await here.write(here.ana, "mine");
  const other = await here.write(here.cy, "of another");
  const token = here.started[0]?.token ?? "";
  const calls: [string, JsonObject][] = [
    ["get_message", { message_id: other }],
    ["respond_message", { message_id: other, response: "x" }],
    ["send_message", { reply_to: other, content: "x" }],
    ["send_message", { target_agent_id: here.cy.id, content: "x" }],
    ["send_message", { reply_to: own, target_agent_ids: [here.cy.id], content: "x" }],
    ["send_message", { content: "x", broadcast: true }],
    ["send_message", { message_id: own, target_agent_id: here.cy.id }],
  ];
  for (const [name, input] of calls)
    expect(await here.call(token, name, input), `${name} ${JSON.stringify(input)}`).toMatchObject({
      success: false,
    });
  expect(await here.call(token, "list_inbox")).toMatchObject({ total: 1, messages: [{ message_id: own }] });
  expect(await here.bo.tool("get_message", { message_id: other })).toMatchObject({ read: false });
});

test("a helper's token opens no other tool, and says which there are", async () => {
  await using here = await society();
  await here.write(here.ana, "hello");
  const delegate = here.bo.mesh.delegates(here.started[0]?.token ?? "");
  const names = delegate?.table.tools.map(({ name }) => name).sort();
  expect(names).toEqual([
    "darkmatter_get_identity",
    "darkmatter_get_message",
    "darkmatter_list_inbox",
    "darkmatter_respond_message",
    "darkmatter_send_message",
  ]);
  expect(delegate?.table.resources).toEqual([]);
  expect(delegate?.table.unknown?.("darkmatter_send_sol")).toMatchObject({
    success: false,
    error: expect.stringContaining("darkmatter_get_message"),
  });
});

test("a helper's token is worth nothing after its time, and its group is ended", async () => {
  await using here = await society({ config: { agent: { ...AGENT, timeoutMs: 60_000 } } });
  const id = await here.write(here.ana, "hello");
  const [helper] = here.started;
  const token = helper?.token ?? "";
  const delegate = here.bo.mesh.delegates(token);
  const held = delegate?.table.tools.find(({ name }) => name === "darkmatter_get_message");
  expect(delegate?.mayAct()).toBe(true);
  await here.net.clock.advance(61_000);
  await here.settled();
  expect(here.bo.mesh.delegates(token)).toBeUndefined();
  expect(delegate?.mayAct()).toBe(false);
  expect(delegate?.over.aborted).toBe(true);
  expect(await held?.handle({ message_id: id }, HELD_CALL)).toMatchObject({ success: false });
  expect(helper?.graces[0]).toBe(5000);
  expect(here.acts("delegation.ended")).toMatchObject([{ fields: { outcome: "out of time" } }]);
});

test("a helper is awake once it calls a tool, not when its client only connects", async () => {
  await using here = await society();
  const id = await here.write(here.ana, "hello");
  const rungs = async () => {
    const { ladder } = await here.ana.tool("get_sent_message", { message_id: id });
    return (ladder as { rungs: { rung: string }[] }[])[0]?.rungs.map(({ rung }) => rung);
  };
  const token = here.started[0]?.token ?? "";
  // What `initialize` and GET /mcp come to.
  here.bo.mesh.delegates(token);
  await here.settled();
  expect(await rungs()).not.toContain("woken");
  await here.call(token, "get_identity");
  await here.settled();
  expect(await rungs()).toContain("woken");
});

test("a helper hears whom it acts for, and nothing of this machine or of what else waits", async () => {
  await using here = await society();
  await here.write(here.ana, "hello");
  const told = await here.call(here.started[0]?.token ?? "", "get_identity");
  expect(Object.keys(told).sort()).toEqual(["agent_id", "bio", "display_name"]);
  expect(told.agent_id).toBe(here.bo.id);
});

test("an answer that arrives after its helper's time is still known as the helper's", async () => {
  await using here = await society();
  const id = await here.write(here.ana, "hello");
  const token = here.started[0]?.token ?? "";
  const wire = here.net.hosts.bo?.wire as { request(request: object): Promise<unknown> };
  const ask = wire.request.bind(wire);
  let isLost = true;
  wire.request = async (request) => {
    // Nobody can say whether it arrived.
    if (isLost && JSON.stringify(request).includes("response")) throw netError("TIMEOUT");
    return ask(request);
  };
  const said = here.call(token, "respond_message", { message_id: id, response: "by the helper" });
  await here.settled();
  await said;
  expect(here.acts("message.answered")).toHaveLength(0);
  here.started[0]?.end({ kind: "exited", code: 0 });
  await here.settled();
  isLost = false;
  for (let minute = 0; minute < 10; minute++) {
    await here.net.clock.advance(60_000);
    await here.bo.job("messages.finish-answers");
    await here.settled();
  }
  const grant = here.acts("delegation.granted")[0]?.fields.grant as Grant;
  const [answered] = here.acts("message.answered");
  expect(answered).not.toHaveProperty("actor");
  expect(answered?.fields).toMatchObject({
    response: "by the helper",
    delegation: expect.stringMatching(/^dg-/),
    delegate_public_key: grant.child_public_key,
  });
});

test("what a helper's time ends in the middle of is not written down as the agent's own", async () => {
  await using here = await society();
  const id = await here.write(here.ana, "hello");
  const token = here.started[0]?.token ?? "";
  const wire = here.net.hosts.bo?.wire as { request(request: object): Promise<unknown> };
  const ask = wire.request.bind(wire);
  wire.request = async (request) => {
    const answer = await ask(request);
    if (JSON.stringify(request).includes("response")) await here.owner("spawn_stop", { id: await running() });
    return answer;
  };
  const running = async () =>
    ((await here.owner("spawn_list")) as { helpers: { id: string }[] }).helpers[0]?.id ?? "";
  const said = here.call(token, "respond_message", { message_id: id, response: "late" });
  await here.settled();
  expect(await said).toMatchObject({ success: false });
  await here.net.clock.advance(60_000);
  await here.bo.job("messages.finish-answers");
  await here.settled();
  expect(here.acts("message.answered")).toMatchObject([
    { fields: { response: "late", delegation: expect.stringMatching(/^dg-/) } },
  ]);
});

test("a token that is nobody's opens nothing", async () => {
  await using here = await society();
  await here.write(here.ana, "hello");
  const token = here.started[0]?.token ?? "";
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  for (const wrong of ["", "x", token.slice(1), token.toUpperCase()])
    if (wrong !== token) expect(here.bo.mesh.delegates(wrong)).toBeUndefined();
});

test("beyond the places there are a message waits, and is handed when one is free", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxConcurrent: 1 } } });
  await here.write(here.ana, "first");
  const second = await here.write(here.cy, "second");
  expect(here.started).toHaveLength(1);
  here.started[0]?.end({ kind: "exited", code: 0 });
  await here.settled();
  expect(here.started).toHaveLength(2);
  expect(here.started[1]?.spec.stdin).toContain(second);
});

test("a folder that cannot be removed takes no place for ever", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxConcurrent: 1 } } });
  here.helpers.folders.remove = () => Promise.reject(new Error("EACCES"));
  await here.write(here.ana, "first");
  here.started[0]?.end({ kind: "exited", code: 0 });
  await here.settled();
  await here.write(here.cy, "second");
  expect(here.started).toHaveLength(2);
});

test("a group that cannot be ended takes no place for ever", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxConcurrent: 1 } } });
  await here.write(here.ana, "first");
  const [first] = here.started;
  (first as { terminate: unknown }).terminate = () => Promise.reject(new Error("EPERM"));
  first?.end({ kind: "exited", code: 0 });
  await here.settled();
  await here.write(here.cy, "second");
  expect(here.started).toHaveLength(2);
});

test("an end that could not be written down is written down later, and its place is free then", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxConcurrent: 1 } } });
  await here.write(here.ana, "first");
  const write = here.bo.db.write;
  const broken = here.bo.db as { write: unknown };
  broken.write = () => Promise.reject(new Error("disk full"));
  here.started[0]?.end({ kind: "exited", code: 0 });
  await here.settled();
  broken.write = write;
  await here.write(here.cy, "second");
  expect([here.started.length, here.acts("delegation.ended").length]).toEqual([1, 0]);
  await here.bo.job("delegations.waiting");
  await here.settled();
  expect(here.acts("delegation.ended")).toMatchObject([{ fields: { outcome: "done" } }]);
  expect(here.started).toHaveLength(2);
});

test("a message is never handed twice, however its helper ended", async () => {
  await using here = await society();
  await here.write(here.ana, "hello");
  here.started[0]?.end({ kind: "exited", code: 1 });
  await here.settled();
  for (let hour = 0; hour < 3; hour++) {
    await here.net.clock.advance(20 * 60_000);
    await here.bo.job("delegations.waiting");
    await here.settled();
  }
  expect(here.started).toHaveLength(1);
});

test("no more are started in an hour than the owner allows", async () => {
  await using here = await society({ config: { agent: { ...AGENT, maxPerHour: 2 } } });
  for (const content of ["one", "two", "three"]) {
    await here.write(here.ana, content);
    for (const one of here.started) one.end({ kind: "exited", code: 0 });
    await here.settled();
  }
  expect(here.started).toHaveLength(2);
  await here.net.clock.advance(HOUR_MS / 2);
  await here.bo.job("delegations.waiting");
  expect(here.started).toHaveLength(2);
});

test("the owner lists, ends and switches helpers", async () => {
  await using here = await society();
  await here.write(here.ana, "hello");
  const { helpers, on } = (await here.owner("spawn_list")) as {
    helpers: { id: string; state: string }[];
    on: boolean;
  };
  expect([on, helpers.map(({ state }) => state)]).toEqual([true, ["running"]]);
  expect(await here.owner("spawn_stop", { id: helpers[0]?.id ?? "" })).toMatchObject({ stopped: true });
  expect(await here.owner("spawn_list")).toMatchObject({
    helpers: [{ state: "ended", outcome: "stopped", last_output: "its last words" }],
  });
  expect(await here.owner("spawn_stop", { id: "dg-0" })).toMatchObject({ success: false });
  expect(await here.owner("spawn_switch", { on: false })).toMatchObject({ on: false });
  await here.write(here.cy, "hello");
  expect(here.started).toHaveLength(1);
});

test("a connection request is handed only of a trusted agent that proved its key, and only that one can be answered", async () => {
  const fake = fakeHelpers();
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    apart: "public",
    configOf: { bo: SPAWNING },
    helpersOf: { bo: fake.helpers },
  });
  const { ana, bo } = net.nodes;
  await bo.tool("set_impression", { agent_id: ana.id, score: 0.8, note: "" });
  await net.clock.advance(HOUR_MS);
  await ana.tool("connection", { action: "request", target_url: bo.url });
  await net.settle();
  const { requests: asking } = await bo.tool("list_pending_requests");
  const [{ request_id: asked }] = asking as [{ request_id: string }];
  await net.clock.advance(HOUR_MS / 2);
  await bo.db.write((tx) => addWaiting(tx, "request", asked));
  await bo.job("delegations.waiting");
  for (let round = 0; round < 5; round++) {
    await net.settle();
    await net.clock.advance(1000);
  }
  const [helper] = fake.started;
  expect(helper?.spec.stdin).toMatch(/darkmatter_connection\(action="accept", request_id="req-/);
  const delegate = bo.mesh.delegates(helper?.token ?? "");
  const { requests } = await call(delegate, "list_pending_requests");
  const [{ request_id }] = requests as [{ request_id: string }];
  const others: JsonObject[] = [
    { action: "accept", request_id: "req-2" },
    { action: "disconnect", agent_id: ana.id },
    { action: "request", target_url: ana.url },
    { action: "block", agent_id: ana.id, request_id },
  ];
  for (const input of others)
    expect(await call(delegate, "connection", input)).toMatchObject({
      error: expect.stringMatching(/^(Your task|You may)/),
    });
  expect(await call(delegate, "connection", { action: "accept", request_id })).toMatchObject({
    accepted: true,
  });
});

/** The service by itself: what it is asked and what comes of it. */
async function alone() {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  /** How far the wall clock has gone without anybody being woken for it. */
  const leap = { ms: 0 };
  const db = await memoryDatabase(meshMigrations);
  const fake = fakeHelpers();
  const signer = createSigner("11".repeat(32));
  const journal = memoryJournal(signer.agentId, createSqlJournal(clock));
  const config = { ...TEST_CONFIG };
  const wall = { ...clock, now: () => clock.now() + leap.ms };
  const ports = { db, clock: wall, random: seededRandom(1), signer, journal, config, helpers: fake.helpers };
  const background = createBackground(() => undefined);
  const needs = { background, context: async () => "", nameOf: async () => null, changed: () => undefined };
  const service = createDelegations(
    {
      ...ports,
      listening: () => ({ host: "127.0.0.1", port: 8100 }),
      report: () => undefined,
    } as unknown as MeshPorts,
    needs,
  );
  await service.start();
  const peer = "aa".repeat(32);
  await db.write((tx) => writeImpression(tx, { about: peer, score: 1, note: "", negativeSince: null }));
  const hand = (messageId: string, from = peer) =>
    db.write((tx) => service.hand(tx, { kind: "message", message: { messageId, from, content: "" } }));
  return { ...fake, service, db, clock, hand, journal, peer, leap };
}

test("a token is looked at when it is shown: nothing need have noticed that its time is over", async () => {
  const { hand, clock, service, started, leap } = await alone();
  await hand("m-1");
  await clock.settle();
  const token = started[0]?.token ?? "";
  const helper = service.delegateOf(token);
  expect(helper?.actor.sign("x")).toMatch(/^[0-9a-f]{128}$/);
  leap.ms = 300_000;
  expect(service.delegateOf(token)).toBeUndefined();
  expect([helper?.mayAct(), helper?.actor.sign("x")]).toEqual([false, undefined]);
});

test("of two that hand the same message at once one starts a helper", async () => {
  const { hand, started, clock } = await alone();
  const handed = await Promise.all([hand("m-1"), hand("m-1")]);
  await clock.settle();
  expect(handed.map(({ kind }) => kind).sort()).toEqual(["handed", "refused"]);
  expect(started).toHaveLength(1);
});

test("an act that fails after the hand-over takes it back: nothing is started", async () => {
  const { db, service, started, clock, peer } = await alone();
  const failing = db.write(async (tx) => {
    await service.hand(tx, { kind: "message", message: { messageId: "m-1", from: peer, content: "" } });
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  await clock.settle();
  expect([started.length, service.running()]).toEqual([0, 0]);
});

test("an agent without an impression is trusted with nothing", async () => {
  const { hand } = await alone();
  expect(await hand("m-1", "bb".repeat(32))).toMatchObject({
    kind: "refused",
    why: "the peer is not trusted enough",
  });
});

test("a request waits until whoever asks has proven its key", async () => {
  const { db, service, peer } = await alone();
  const request = { requestId: "req-1", agentId: peer, displayName: null, bio: "", proven: false };
  const handed = await db.write((tx) => service.hand(tx, { kind: "request", request }));
  expect(handed).toMatchObject({ kind: "waiting", why: "the requester has not proven its key" });
});

test("the grant is signed by the passport, names its message and ends with the helper's time", async () => {
  const { hand, journal, clock } = await alone();
  await hand("m-1");
  await clock.settle();
  const grant = journal.of("m-1")[0]?.fields.grant as Grant;
  const { child_public_key: childPublicKey, scope, not_before: notBefore, not_after: notAfter, sig } = grant;
  const agentId = createSigner("11".repeat(32)).agentId;
  const text = grantText({ agentId, childPublicKey, scope, notBefore, notAfter }) ?? "";
  expect(await createVerifier({ threads: "never" }).verify(agentId, text, sig)).toBe(true);
  expect(scope).toMatchObject({ message_id: "m-1", peers: ["aa".repeat(32)] });
  expect(Date.parse(notAfter) - Date.parse(notBefore)).toBe(300_000);
});

test("what was granted and not started before a crash is ended at the next start, and what ran is ended if it is ours", async () => {
  const { hand, clock, db, service, journal, leftovers, peer } = await alone();
  await hand("m-1");
  await clock.settle();
  await db.write((tx) =>
    tx.run(
      `INSERT INTO mesh_delegations (id, kind, subject, peer, state, public_key, granted_at_ms, not_after_ms)
       VALUES ('dg-2', 'message', 'm-2', ?, 'granted', '', 0, 1)`,
      peer,
    ),
  );
  await service.start();
  expect(leftovers).toEqual([{ pid: 1000, mark: "boot 0" }]);
  const ended = journal.events.filter(({ act }) => act === "delegation.ended");
  expect(ended.map(({ messageId, fields }) => [messageId, fields.outcome])).toEqual([
    ["m-2", "never started"],
    ["m-1", "node stopped"],
  ]);
  expect(await hand("m-2")).toMatchObject({ kind: "refused", why: "it was handed before" });
});

test("what was started just before a crash, and not noted, is ended by its own environment", async () => {
  const { hand, clock, db, service, journal, marked, started } = await alone();
  await hand("m-1");
  await clock.settle();
  const id = started[0]?.spec.env.DARKMATTER_DELEGATION ?? "";
  expect(id).toMatch(/^dg-/);
  await db.write((tx) => tx.run("UPDATE mesh_delegations SET state = 'granted', pid = NULL, mark = NULL"));
  marked.add(id);
  await service.start();
  expect(journal.events.at(-1)).toMatchObject({
    act: "delegation.ended",
    fields: { outcome: "node stopped", left_running: true },
  });
});

test("a process is a helper's for as long as anything of the helper is there", async () => {
  const { hand, clock, service, started } = await alone();
  expect(await service.isHelper(1000)).toBe(false);
  await hand("m-1");
  await clock.settle();
  expect([await service.isHelper(1000), await service.isHelper(7)]).toEqual([true, false]);
  started[0]?.end({ kind: "exited", code: 0 });
  await clock.settle();
  expect(await service.isHelper(1000)).toBe(false);
});

test("cursor is told of one server, ours, by a file of its own, and clients that read stdin get the prompt there", () => {
  const access = {
    delegationId: "dg-1",
    url: "http://127.0.0.1:1/mcp",
    token: "t",
    folder: "/f",
    tools: ["x"],
  };
  const { cursor } = PROFILES;
  expect(cursor.env?.(access)).toEqual({ CURSOR_CONFIG_DIR: "/f" });
  expect(cursor.files?.(access)["mcp.json"]).toEqual({
    mcpServers: { darkmatter: { url: access.url, headers: { Authorization: "Bearer t" } } },
  });
  const shown = Object.entries(PROFILES).filter(([, { prompt }]) => prompt.kind !== "stdin");
  expect(shown.map(([name]) => name)).toEqual(["cursor", "openclaw"]);
});

test("a node that stops ends its helpers", async () => {
  const { hand, clock, service, started, journal } = await alone();
  await hand("m-1");
  await clock.settle();
  await service.stop();
  expect(started[0]?.graces[0]).toBe(1000);
  expect(journal.events.at(-1)).toMatchObject({
    act: "delegation.ended",
    fields: { outcome: "node stopped" },
  });
});
