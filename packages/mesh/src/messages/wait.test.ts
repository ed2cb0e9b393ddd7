import { SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork } from "../testing.ts";
import { WAITS_MAX } from "./waiting.ts";

async function asked() {
  const net = await memoryNetwork({ nodes: ["ana", "bo"] });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  return { net, ana, bo, id: String(sent.message_id) };
}

test("an answer that came before the wait is handed over at once", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  await bo.tool("respond_message", { message_id: id, response: "42" });
  expect(await ana.tool("wait_for_response", { message_id: id })).toMatchObject({
    success: true,
    message_id: id,
    status: "responded",
    responses: [{ agent_id: bo.id, response: "42" }],
    peer_words: expect.any(String),
  });
});

test("an answer that comes during the wait ends it, for everybody who waits", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  const waits = [1, 2].map(() => ana.tool("wait_for_response", { message_id: id }));
  await net.clock.advance(7 * SECOND_MS);
  await bo.tool("respond_message", { message_id: id, response: "42" });
  for (const outcome of await Promise.all(waits)) expect(outcome).toMatchObject({ success: true });
});

test("a wait ends with its time, and says so; progress notices come every ten seconds", async () => {
  const { net, ana, id } = await asked();
  await using _ = net;
  const notices: number[] = [];
  let over: unknown;
  const progress = async (seconds: number) => void notices.push(seconds);
  const waiting = ana
    .tool("wait_for_response", { message_id: id, timeout_seconds: 35 }, { progress })
    .then((outcome) => {
      over = outcome;
    });
  await net.clock.advance(34.999 * SECOND_MS);
  expect(over).toBeUndefined();
  await net.clock.advance(1);
  await waiting;
  expect(over).toMatchObject({ success: false, reason: "timeout", timeout_seconds: 35 });
  expect(notices).toEqual([10, 20, 30]);
});

test("a message that is withdrawn during the wait ends it", async () => {
  const { net, ana, id } = await asked();
  await using _ = net;
  const waiting = ana.tool("wait_for_response", { message_id: id });
  await net.clock.settle();
  await ana.tool("expire_message", { message_id: id });
  expect(await waiting).toMatchObject({ success: false, reason: "message_expired" });
  expect(await ana.tool("wait_for_response", { message_id: id })).toMatchObject({
    reason: "message_expired",
  });
});

test("a wait that is cancelled ends at once and leaves nobody waiting", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  const stop = new AbortController();
  const waiting = ana.tool("wait_for_response", { message_id: id }, { signal: stop.signal });
  await net.clock.settle();
  stop.abort(new Error("cancelled"));
  expect(await waiting).toMatchObject({ success: false });
  expect(ana.tools.errors).toEqual([]);
  expect(await bo.tool("respond_message", { message_id: id, response: "42" })).toMatchObject({
    success: true,
  });
});

test("a wait holds up nothing else", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  const waiting = ana.tool("wait_for_response", { message_id: id });
  expect(await ana.tool("send_message", { content: "more", target_agent_id: bo.id })).toMatchObject({
    success: true,
  });
  await bo.tool("respond_message", { message_id: id, response: "42" });
  expect(await waiting).toMatchObject({ success: true });
});

test("a message that was never sent cannot be waited for", async () => {
  const { net, ana } = await asked();
  await using _ = net;
  expect(await ana.tool("wait_for_response", { message_id: "msg-unknown" })).toMatchObject({
    success: false,
    error: expect.stringContaining("msg-unknown"),
  });
});

test("more waits than there is room for are refused, and ended ones give their room back", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  for (let at = 0; at < WAITS_MAX; at++) await ana.tool("wait_for_response", { message_id: `none-${at}` });
  const waits = Array.from({ length: WAITS_MAX }, () => ana.tool("wait_for_response", { message_id: id }));
  await net.clock.settle();
  expect(await ana.tool("wait_for_response", { message_id: id })).toMatchObject({
    success: false,
    error: expect.stringContaining("waits"),
  });
  await bo.tool("respond_message", { message_id: id, response: "42" });
  const outcomes = await Promise.all(waits);
  expect(outcomes.every(({ success }) => success === true)).toBe(true);
});
