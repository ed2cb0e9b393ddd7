import type { JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";
import { CUSTOM_ROUTER_MS, type CustomRouter } from "./custom.ts";
import { noteRoute } from "./router.store.ts";
import { RULES_MAX } from "./rule.ts";

const RULES_ONLY = { routerMode: "rules_only" } as const;

async function inboxOf(node: TestNode): Promise<JsonObject[]> {
  return (await node.tool("list_inbox")).messages as JsonObject[];
}

const owner = (node: TestNode, name: string, input: object = {}) =>
  node.tool(`owner_rules_${name}`, input, { session: "owner" });
const add = (node: TestNode, rule: object) => owner(node, "add", rule);

async function send(from: TestNode, to: TestNode, content: string, more: object = {}): Promise<string> {
  const sent = await from.tool("send_message", { content, target_agent_id: to.id, ...more });
  expect(sent).toMatchObject({ success: true });
  return String(sent.message_id);
}

test("a message that a rule drops leaves the inbox, and its author hears that it was refused", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], config: RULES_ONLY });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "drop", keyword: "Spam" });

  const dropped = await send(ana, bo, "cheap SPAM for you");
  await send(ana, bo, "hello");
  await net.settle();

  expect((await inboxOf(bo)).map(({ content }) => content)).toEqual(["hello"]);
  const heard = (await ana.tool("get_sent_message", { message_id: dropped })) as { ladder: object[] };
  expect(JSON.stringify(heard.ladder)).toContain('"refused"');
  expect(
    bo.journal.events
      .filter(({ messageId }) => messageId === dropped)
      .map(({ act, fields }) => [act, fields.rung]),
  ).toContainEqual(["receipt.given", "refused"]);
});

test("a message that a rule answers is answered once, signed, and leaves the inbox", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], config: RULES_ONLY });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "respond", metadata_key: "type", metadata_value: "ping", response_text: "pong" });

  const messageId = await send(ana, bo, "are you there?", { metadata: { type: "ping" } });
  await net.settle();

  expect(await inboxOf(bo)).toEqual([]);
  expect(await ana.tool("get_sent_message", { message_id: messageId })).toMatchObject({
    status: "responded",
    responses: [{ agent_id: bo.id, response: "pong" }],
  });
  // Whoever talks to a rule earns nothing by it.
  expect(await bo.tool("get_impression", { agent_id: ana.id })).toMatchObject({ has_impression: false });
});

test("a message that a rule forwards goes on with one hop less, and its author hears where it went", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], config: RULES_ONLY });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  await add(bo, { action: "forward", from_agent_id: ana.id, forward_to: [cy.id] });

  await send(ana, bo, "who can help?", { hops_remaining: 4 });
  await net.settle();

  expect(await inboxOf(bo)).toEqual([]);
  expect(await inboxOf(cy)).toMatchObject([{ content: "who can help?", hops_remaining: 3 }]);
});

test("a rule never sends a message back to who brought it or wrote it", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy", "di"], config: RULES_ONLY });
  const { ana, bo, cy, di } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  await net.connect("cy", "ana");
  await net.connect("cy", "di");
  await add(bo, { action: "forward", forward_to: [ana.id, cy.id] });
  await add(cy, { action: "forward", forward_to: [ana.id, bo.id, di.id] });

  await send(ana, bo, "round and round");
  // Each hop starts work at the next.
  for (let hop = 0; hop < 3; hop++) await net.settle();

  const forwarded = (node: TestNode) =>
    node.journal.events.filter(({ act }) => act === "message.forwarded").map(({ peer }) => peer);
  expect([forwarded(bo), forwarded(cy)]).toEqual([[cy.id], [di.id]]);
  expect(await inboxOf(di)).toHaveLength(1);
  expect(await inboxOf(ana)).toEqual([]);
});

test("a message without hops left is not forwarded and not thrown away", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy", "di"], config: RULES_ONLY });
  const { ana, bo, cy, di } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  await net.connect("cy", "di");
  await add(bo, { action: "forward", forward_to: [cy.id] });
  await add(cy, { action: "forward", forward_to: [di.id] });

  await send(ana, bo, "last hop", { hops_remaining: 1 });
  await net.settle();

  expect(await inboxOf(cy)).toMatchObject([{ content: "last hop", hops_remaining: 0 }]);
  expect(await inboxOf(di)).toEqual([]);
});

test("a forward to nobody we are connected to leaves the message in the inbox, for good", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], config: RULES_ONLY });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "forward", forward_to: [cy.id] });
  await send(ana, bo, "hello");
  await net.settle();
  expect(await inboxOf(bo)).toHaveLength(1);
  // What was decided was done then: it is not done again when it could be.
  await net.connect("bo", "cy");
  await bo.job("router.resume");
  await net.settle();
  expect(await inboxOf(bo)).toHaveLength(1);
  expect(await inboxOf(cy)).toEqual([]);
});

test("what a crash left undone is done at the next start, once", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], config: RULES_ONLY });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  const answered = await send(ana, bo, "ping");
  const passed = await send(ana, bo, "please pass on");
  await net.settle();
  const route = (decision: object) => JSON.stringify({ forwardTo: [], response: null, ...decision });
  await bo.db.write(async (tx) => {
    await noteRoute(tx, answered, null, route({ action: "respond", response: "pong" }));
    await noteRoute(tx, passed, null, route({ action: "forward", forwardTo: [cy.id] }));
  });

  await Promise.all([bo.job("router.resume"), bo.job("router.resume")]);
  await net.settle();
  await bo.job("router.resume");
  await net.settle();

  expect(await inboxOf(bo)).toEqual([]);
  expect(await inboxOf(cy)).toMatchObject([{ content: "please pass on" }]);
  expect(await ana.tool("get_sent_message", { message_id: answered })).toMatchObject({
    responses: [{ response: "pong" }],
  });
  const acts = bo.journal.events.map(({ act }) => act);
  expect(acts.filter((act) => act === "message.answered")).toHaveLength(1);
  expect(acts.filter((act) => act === "message.forwarded")).toHaveLength(1);
});

test("rules are tried by priority, and one that is off or removed does nothing", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], config: RULES_ONLY });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { rule_id: "drop-all", action: "drop", priority: 1 });
  await add(bo, { rule_id: "keep", action: "pass", priority: 2, keyword: "keep" });
  await send(ana, bo, "keep this");
  await send(ana, bo, "not this");
  await owner(bo, "edit", { rule_id: "drop-all", enabled: false });
  await send(ana, bo, "nor that");
  await owner(bo, "edit", { rule_id: "drop-all", enabled: true });
  await owner(bo, "remove", { rule_id: "drop-all" });
  await send(ana, bo, "and this");
  await net.settle();
  expect((await inboxOf(bo)).map(({ content }) => content)).toEqual(["keep this", "nor that", "and this"]);
});

test.each([
  ["a keyword of 1 MB", { action: "drop", keyword: "k".repeat(1 << 20) }, /keyword must be at most 256/],
  ["a NUL", { action: "drop", keyword: "a\u0000b" }, /keyword must hold no control characters/],
  ["half a character", { action: "drop", metadata_key: "\ud800" }, /metadata_key must hold no/],
  ["a target that is no agent", { action: "forward", forward_to: ["nobody"] }, /full id/],
  ["a forward to nobody", { action: "forward" }, /needs forward_to/],
  ["a response without words", { action: "respond" }, /needs response_text/],
  ["a value without a key", { action: "drop", metadata_value: "x" }, /needs metadata_key/],
  ["an id that is none", { action: "drop", rule_id: "../etc" }, /rule_id must be/],
  ["a priority beyond all", { action: "drop", priority: 1e9 }, /priority/],
])("a rule with %s is refused and says why", async (_what, rule, why) => {
  await using net = await memoryNetwork({ nodes: ["bo"] });
  expect((await add(net.nodes.bo, rule)).error).toMatch(why);
  expect((await owner(net.nodes.bo, "list")).rules).toEqual([]);
});

test(`there are at most ${RULES_MAX} rules`, async () => {
  await using net = await memoryNetwork({ nodes: ["bo"] });
  for (let at = 0; at < RULES_MAX; at++) await add(net.nodes.bo, { action: "drop", keyword: `${at}` });
  expect((await add(net.nodes.bo, { action: "drop" })).error).toMatch(/already: remove some/);
});

test("a keyword is text and no pattern", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], config: RULES_ONLY });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "drop", keyword: "(a+)+$" });
  await send(ana, bo, `${"a".repeat(60_000)}!`);
  await send(ana, bo, "see (A+)+$ there");
  await net.settle();
  expect(await inboxOf(bo)).toHaveLength(1);
});

test("the mode is the environment's, else the owner's, else spawn", async () => {
  await using net = await memoryNetwork({ nodes: ["bo"], config: { routerMode: undefined } });
  const { bo } = net.nodes;
  const mode = async () => (await owner(bo, "list")).mode;
  expect(await mode()).toBe("spawn");
  await owner(bo, "mode", { mode: "rules_only" });
  expect(await mode()).toBe("rules_only");
  bo.configure({ routerMode: "queue_only" });
  expect(await owner(bo, "mode", { mode: "rules_first" })).toMatchObject({
    mode: "queue_only",
    mode_fixed: true,
  });
});

const isPing: CustomRouter = ({ content }) =>
  content === "ping" ? { action: "respond", response: "pong" } : null;

test("the owner's routers decide first; one that throws, answers nonsense or hangs is reported and skipped", async () => {
  const routers: CustomRouter[] = [
    () => {
      throw new Error("no");
    },
    () => ({ action: "explode" }) as never,
    ({ content }) => (content === "slow" ? new Promise(() => undefined) : null),
    async (...given) => isPing(...given),
  ];
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    config: RULES_ONLY,
    customRoutingOf: { bo: { routers, replaces: false } },
  });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "drop", keyword: "slow" });
  const ping = await send(ana, bo, "ping");
  await net.settle();
  expect(await ana.tool("get_sent_message", { message_id: ping })).toMatchObject({
    responses: [{ response: "pong" }],
  });
  await send(ana, bo, "slow");
  await net.clock.advance(CUSTOM_ROUTER_MS);
  await net.settle();
  // The rules had the last word about what nobody else decided.
  expect(await inboxOf(bo)).toEqual([]);
  expect(bo.reports.filter((line) => line.startsWith("router.custom-failed")).length).toBeGreaterThanOrEqual(
    5,
  );
  expect(bo.reports.join()).toContain("took too long");
});

test("the owner's routers may be all there is", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    config: RULES_ONLY,
    customRoutingOf: { bo: { routers: [isPing], replaces: true } },
  });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await add(bo, { action: "drop" });
  await send(ana, bo, "hello");
  await net.settle();
  expect(await inboxOf(bo)).toHaveLength(1);
});

test("rules travel in the state file", async () => {
  await using net = await memoryNetwork({ nodes: ["bo"] });
  const { bo } = net.nodes;
  await add(bo, { rule_id: "x", action: "drop", keyword: "y" });
  const { routing_rules: rules } = JSON.parse(await bo.mesh.stateFiles.write(bo.db)) as JsonObject;
  expect(rules).toMatchObject([
    { rule_id: "x", action: "drop", keyword: "y", enabled: true, forward_to: [] },
  ]);
});
