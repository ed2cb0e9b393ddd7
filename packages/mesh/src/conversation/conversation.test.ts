import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";
import { readEntries } from "./conversation.store.ts";
import { CONVERSATION_CONTENT_CODE_POINTS_MAX, CONVERSATION_ENTRIES_MAX } from "./entry.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 10_000 };

const entriesOf = (node: TestNode) => readEntries(node.db, 1000);

test("everything said is remembered: sent, received, forwarded, broadcast and replied", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  await bo.tool("set_impression", { agent_id: ana.id, score: 0.5 });
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id, metadata: { n: 1 } });
  const message_id = sent.message_id;
  await bo.tool("send_message", { message_id, target_agent_id: cy.id });
  await cy.tool("respond_message", { message_id, response: "!" });
  await ana.tool("send_message", { content: "news", broadcast: true });
  await net.settle();
  const said = { messageId: message_id, content: "?", metadata: { n: 1 } };
  expect(await entriesOf(ana)).toMatchObject([
    { ...said, entryType: "direct", direction: "outbound", from: ana.id, to: [bo.id], trust: 0 },
    { content: "!", entryType: "reply", direction: "inbound", from: cy.id, to: [ana.id] },
    { content: "news", entryType: "broadcast", direction: "outbound" },
  ]);
  expect(await entriesOf(bo)).toMatchObject([
    { ...said, entryType: "direct", direction: "inbound", from: ana.id, to: [bo.id], trust: 0.5 },
    { ...said, entryType: "forward", direction: "outbound", from: bo.id, to: [cy.id] },
    { content: "news", entryType: "broadcast", direction: "inbound", trust: 0.5 },
  ]);
  expect(await entriesOf(cy)).toMatchObject([
    { ...said, entryType: "direct", direction: "inbound", from: bo.id },
    { content: "!", entryType: "reply", direction: "outbound", from: cy.id, to: [bo.id] },
  ]);
});

test("entries are cut to 2000 characters, and the newest 500 are kept", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "message", bo.message({ content: "😀".repeat(3000) }));
  expect((await entriesOf(ana))[0]?.content).toBe("😀".repeat(CONVERSATION_CONTENT_CODE_POINTS_MAX));
  const more = Array.from({ length: CONVERSATION_ENTRIES_MAX }, (_, at) => bo.message({ content: `${at}` }));
  await Promise.all(more.map((message) => bo.post(ana, "message", message)));
  await ana.job("messages.purge");
  const kept = await entriesOf(ana);
  expect(kept).toHaveLength(CONVERSATION_ENTRIES_MAX);
  expect(kept[0]?.content).toBe("0");
  expect(kept.at(-1)?.content).toBe(`${CONVERSATION_ENTRIES_MAX - 1}`);
});

test("broadcasts are hinted at even when the log is full", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const say = () => bo.post(ana, "message", bo.message({ metadata: { type: "broadcast" } }));
  await Promise.all(Array.from({ length: CONVERSATION_ENTRIES_MAX }, say));
  await ana.tool("get_identity");
  await say();
  await ana.job("messages.purge");
  expect(await ana.tool("get_identity")).toMatchObject({ _hint: "1 network update" });
});
