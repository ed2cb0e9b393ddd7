import type { JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork } from "../testing/memory-network.ts";

const names = ["darkmatter_inbox", "darkmatter_wait_for_message"];

test("the older names are shown to nobody who does not use them", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  expect(ana.tools.names().filter((name) => names.includes(name))).toEqual([]);
  await ana.tool("inbox");
  expect(ana.tools.names()).toContain("darkmatter_inbox");
});

test("inbox lists what waits, and reads one message whole", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const long = "long ".repeat(200).trim();
  const { message_id: id } = await ana.tool("send_message", { content: long });
  expect(await bo.tool("inbox")).toMatchObject({ total: 1, messages: [{ message_id: id, read: false }] });
  expect(await bo.tool("inbox", { message_id: id })).toMatchObject({ content: long, from_agent_id: ana.id });
  expect(await bo.tool("inbox")).toMatchObject({ messages: [{ read: true }] });
  expect(await bo.tool("inbox", { message_id: "none" })).toMatchObject({ success: false });
});

test("a wait is over with the next message of those who are waited for, each handed over once", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("cy", "bo");
  const waiting = bo.tool("wait_for_message", { from_agents: [cy.id], timeout_seconds: 60 });
  await ana.tool("send_message", { content: "from ana" });
  await net.clock.advance(7_000);
  await cy.tool("send_message", { content: "from cy", target_agent_id: bo.id });
  expect(await waiting).toMatchObject({
    success: true,
    mode: "inbox",
    messages: [{ content: "from cy", from_agent_id: cy.id }],
    waited: 7,
  });
  // Ana's is still new: it is handed over at once.
  expect(await bo.tool("wait_for_message")).toMatchObject({ messages: [{ content: "from ana" }] });
  const none = bo.tool("wait_for_message", { timeout_seconds: 3 });
  await net.clock.advance(3_000);
  expect(await none).toMatchObject({ success: false, reason: "timeout", messages: [], waited: 3 });
});

test("a wait for an answer hands over the answer, tells every 10 s that it still waits, and can be ended", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const { message_id: id } = await ana.tool("send_message", { content: "hello?" });
  const notices: number[] = [];
  const progress = async (at: number) => void notices.push(at);
  const waiting = ana.tool("wait_for_message", { message_id: id }, { progress });
  await net.clock.advance(25_000);
  await bo.tool("respond_message", { message_id: id, response: "here" });
  expect(await waiting).toMatchObject({ success: true, mode: "reply", responses: [{ response: "here" }] });
  expect(notices).toEqual([10, 20]);

  const leave = new AbortController();
  const given = ana.tool("wait_for_message", {}, { signal: leave.signal }).then(
    (result: JsonObject) => result,
    (reason: unknown) => reason,
  );
  await net.clock.settle();
  leave.abort(new Error("gone"));
  expect(await given).toMatchObject({ success: false });
});
