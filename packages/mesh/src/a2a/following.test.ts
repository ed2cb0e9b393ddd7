import { type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { callHandler, inbound } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { type A2aCaller, a2aCaller, a2aMessage } from "../testing/a2a-caller.ts";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";
import { BLOCKING_MS, createFollowing, STREAMS_PER_TOKEN_MAX } from "./following.ts";

/** A stream as its reader sees it. */
async function opened(node: TestNode, caller: A2aCaller, method: string, params: object) {
  const left = new AbortController();
  const headers = { authorization: `Bearer ${caller.secret}`, "a2a-version": "1.0" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 7, method, params });
  const request = inbound({ method: "POST", path: "/a2a", headers, body, signal: left.signal });
  const answer = await node.handler(request);
  const decoder = new TextDecoder();
  const chunks = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  return {
    type: answer.headers["content-type"],
    body: answer.body,
    leave: () => left.abort(),
    async next(): Promise<JsonObject | undefined> {
      const { done, value } = await chunks.next();
      if (done) return undefined;
      const text = decoder.decode(value);
      expect(text).toMatch(/^data: .*\n\n$/);
      return (JSON.parse(text.slice("data: ".length)) as { result: JsonObject }).result;
    },
  };
}

async function answer(node: TestNode, response: string): Promise<void> {
  const [message] = (await node.tool("list_inbox")).messages as JsonObject[];
  await node.tool("respond_message", { message_id: message?.message_id, response });
}

test("a stream tells the task, that it is worked on, the answer, and then its end", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const stream = await opened(ana, caller, "SendStreamingMessage", { message: a2aMessage("hello") });
  expect(stream.type).toBe("text/event-stream");
  expect(await stream.next()).toMatchObject({ task: { status: { state: "TASK_STATE_SUBMITTED" } } });

  const working = stream.next();
  await ana.tool("list_inbox");
  await ana.job("status.announce");
  expect(await working).toMatchObject({ statusUpdate: { status: { state: "TASK_STATE_WORKING" } } });

  const answered = stream.next();
  await answer(ana, "hi");
  expect(await answered).toMatchObject({ artifactUpdate: { artifact: { parts: [{ text: "hi" }] } } });
  expect(await stream.next()).toMatchObject({ statusUpdate: { status: { state: "TASK_STATE_COMPLETED" } } });
  expect(await stream.next()).toBeUndefined();
});

test("whoever subscribes later hears the rest", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("hello");
  const stream = await opened(ana, caller, "SubscribeToTask", { id });
  expect(await stream.next()).toMatchObject({ task: { id } });
  const next = stream.next();
  await caller.call("CancelTask", { id });
  expect(await next).toMatchObject({ statusUpdate: { status: { state: "TASK_STATE_CANCELED" } } });
  expect(await stream.next()).toBeUndefined();
});

test("a stream ends when its reader leaves, and when the node stops; its place is free again", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("hello");
  const streams = [];
  for (let at = 0; at < STREAMS_PER_TOKEN_MAX; at++) {
    streams.push(await opened(ana, caller, "SubscribeToTask", { id }));
  }
  for (const stream of streams) await stream.next();
  expect(await caller.fails("SubscribeToTask", { id })).toBe(-32000);
  const [gone, ...rest] = streams;
  const end = gone?.next();
  gone?.leave();
  expect(await end).toBeUndefined();
  const again = await opened(ana, caller, "SubscribeToTask", { id });
  expect(await again.next()).toMatchObject({ task: { id } });
  const ends = [...rest, again].map((stream) => stream.next());
  await ana.mesh.stop();
  expect(await Promise.all(ends)).toEqual(ends.map(() => undefined));
});

test("a reader that left before the first word gives its place back too", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("hello");
  for (let at = 0; at <= STREAMS_PER_TOKEN_MAX; at++) {
    const stream = await opened(ana, caller, "SubscribeToTask", { id });
    stream.leave();
    expect(stream.type, String(at)).toBe("text/event-stream");
  }
});

test("a message that is waited for comes back with its answer, or as it stands after a while", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const asked = caller.call("SendMessage", { message: a2aMessage("quick?") });
  await net.clock.settle();
  await answer(ana, "yes");
  expect(await asked).toMatchObject({
    task: { status: { state: "TASK_STATE_COMPLETED" }, artifacts: [{ parts: [{ text: "yes" }] }] },
  });
  const slow = caller.call("SendMessage", { message: a2aMessage("slow?") });
  await net.clock.settle();
  await net.clock.advance(BLOCKING_MS);
  expect(await slow).toMatchObject({ task: { status: { state: "TASK_STATE_SUBMITTED" } } });
});

test("a stream ends with its token's time, and tells nothing after it", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana, { ttl_seconds: 60 });
  const { id } = await caller.leave("hello");
  const streams = [
    await opened(ana, caller, "SendStreamingMessage", { message: a2aMessage("again") }),
    await opened(ana, caller, "SubscribeToTask", { id }),
  ];
  for (const stream of streams) await stream.next();
  const ends = streams.map((stream) => stream.next());
  await net.clock.advance(MINUTE_MS);
  await answer(ana, "SECRET");
  await answer(ana, "SECRET");
  await net.settle();
  expect(await Promise.all(ends)).toEqual([undefined, undefined]);
});

test("a stream whose machine slept past its token's time tells nothing more", async () => {
  const clock = virtualClock();
  let sleptMs = 0;
  const token = {
    id: "t",
    name: "phone",
    mayWake: false,
    createdAtMs: 0,
    expiresAtMs: clock.now() + MINUTE_MS,
  };
  const task = { id: "1", tokenId: "t", contextId: "c", createdAtMs: 0, seq: 1, canceledAtMs: null };
  const status = { state: "TASK_STATE_SUBMITTED", atMs: 0 } as const;
  const following = createFollowing(
    { ...clock, now: () => clock.now() + sleptMs },
    { listen: () => new DisposableStack() },
    async () => ({
      task,
      status: { ...status, state: sleptMs ? "TASK_STATE_WORKING" : status.state },
      words: [],
    }),
  );
  const { signal } = new AbortController();
  const place = following.take(token);
  const stream = following.follow(token, "1", { historyLength: 0, signal, place })[Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ task: { id: "1" } });
  const next = stream.next();
  sleptMs = MINUTE_MS;
  following.wake();
  expect(await next).toEqual({ done: true, value: undefined });
});

test("a wait ends with its token's time", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana, { ttl_seconds: 5 });
  const asked = caller.call("SendMessage", { message: a2aMessage("slow?") });
  await net.clock.settle();
  await net.clock.advance(5 * SECOND_MS);
  await answer(ana, "SECRET");
  expect(await asked).toMatchObject({ task: { status: { state: "TASK_STATE_SUBMITTED" } } });
  expect(JSON.stringify(await asked)).not.toContain("SECRET");
});

test("waiting takes a place as a stream does; without one the task comes back at once", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("hello");
  const streams = [];
  for (let at = 0; at < STREAMS_PER_TOKEN_MAX; at++) {
    streams.push(await opened(ana, caller, "SubscribeToTask", { id }));
  }
  expect(await caller.call("SendMessage", { message: a2aMessage("at once?") })).toMatchObject({
    task: { status: { state: "TASK_STATE_SUBMITTED" } },
  });
  for (const stream of streams) stream.leave();
});

test("the other binding tells the same", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const caller = await a2aCaller(ana);
  const headers = { authorization: `Bearer ${caller.secret}`, "a2a-version": "1.0" };
  const rest = async (method: string, path: string, body?: object) => {
    const { status, json } = await callHandler(ana.handler, {
      ...{ method, path: `/a2a${path}`, headers },
      ...(body && { body }),
    });
    return { status, json: json as JsonObject };
  };
  const message = a2aMessage("hello");
  const sent = await rest("POST", "/message:send", { message, configuration: { returnImmediately: true } });
  const { id } = sent.json.task as JsonObject;
  expect(await rest("GET", `/tasks/${id}?historyLength=0`)).toMatchObject({ status: 200, json: { id } });
  expect(await rest("GET", "/tasks?pageSize=1&status=TASK_STATE_SUBMITTED")).toMatchObject({
    json: { totalSize: 1 },
  });
  expect(await rest("POST", `/tasks/${id}:cancel`, {})).toMatchObject({
    json: { status: { state: "TASK_STATE_CANCELED" } },
  });
  expect(await rest("POST", `/tasks/${id}:subscribe`)).toMatchObject({ status: 400 });
  expect(await rest("GET", "/tasks/nowhere")).toMatchObject({
    status: 404,
    json: { error: { status: "TASK_NOT_FOUND" } },
  });
  expect((await callHandler(ana.handler, { method: "GET", path: "/a2a/tasks" })).status).toBe(401);
});
