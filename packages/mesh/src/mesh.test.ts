import { expect, test } from "vitest";
import { memoryNetwork } from "./testing.ts";

test("two agents connect, one writes, the other reads and answers, and the first is handed the answer", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");

  const sent = await ana.tool("send_message", { content: "can you help?", target_agent_id: bo.id });
  expect(sent).toMatchObject({ success: true, routed_to: [bo.id] });
  const inbox = await bo.tool("list_inbox");
  expect(inbox).toMatchObject({ total: 1, messages: [{ content: "can you help?", from_agent_id: ana.id }] });

  const waiting = ana.tool("wait_for_response", { message_id: sent.message_id });
  const reply = await bo.tool("send_message", { content: "yes", reply_to: sent.message_id });
  expect(reply).toMatchObject({ success: true });
  expect(await waiting).toMatchObject({
    success: true,
    status: "responded",
    responses: [{ response: "yes" }],
  });
  await net.settle();
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  expect(await ana.tool("get_sent_message", { message_id: sent.message_id })).toMatchObject({
    status: "responded",
    state: "acted on by 1 of 1",
    updates: [{ type: "responding" }],
  });
  expect([...ana.reports, ...bo.reports]).toEqual([]);
});

test("a message travels over the node between and its answer comes straight back", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");

  const sent = await ana.tool("send_message", { content: "who knows?", target_agent_id: bo.id });
  const forwarded = await bo.tool("send_message", { message_id: sent.message_id, target_agent_id: cy.id });
  expect(forwarded).toMatchObject({ success: true, hops_remaining_for_targets: 9 });
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  expect(await cy.tool("respond_message", { message_id: sent.message_id, response: "I do" })).toMatchObject({
    success: true,
  });
  expect(await ana.tool("wait_for_response", { message_id: sent.message_id })).toMatchObject({
    responses: [{ agent_id: cy.id, response: "I do" }],
  });
});
