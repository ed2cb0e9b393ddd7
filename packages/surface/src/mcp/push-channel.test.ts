import { once } from "node:events";
import { createInterface } from "node:readline";
import { duplexPair } from "node:stream";
import { expect, test } from "vitest";
import { sampleTable } from "../testing/sample-table.ts";
import type { Push, SessionCall } from "../tool.ts";
import { serveMcpStream } from "./stream.ts";

/** A client of that name over an in-memory stream, after it was initialised, and what its node hears of it. */
async function clientCalled(name: string, { isOwner = false } = {}) {
  const [near, far] = duplexPair();
  const heard: string[] = [];
  const pushes = new Map<string, Push>();
  const watch = {
    called({ session, tool, isOwner }: SessionCall) {
      heard.push(`${isOwner ? "the owner" : session} calls ${tool}`);
      return { [Symbol.dispose]: () => void heard.push(`${tool} is over`) };
    },
    reachable(session: string, push: Push) {
      pushes.set(session, push);
      return { [Symbol.dispose]: () => void pushes.delete(session) };
    },
  };
  const identity = { name: "test", version: "1" };
  const served = serveMcpStream(
    { ...sampleTable(), watch },
    { input: far, output: far },
    { session: "one", isOwner, identity, onError: () => undefined },
  );
  const lines = createInterface({ input: near });
  const next = async () => JSON.parse(String((await once(lines, "line"))[0]));
  const send = (message: object) => void near.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const clientInfo = { name, version: "2.1.80" };
  send({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  });
  const { result } = await next();
  send({ method: "notifications/initialized" });
  send({ id: 2, method: "tools/call", params: { name: "echo", arguments: { words: "hi" } } });
  await next();
  return { served, heard, pushes, capabilities: result.capabilities, next };
}

test("Claude Code is told that it can be pushed to, and gets the notice in its own form", async () => {
  const { capabilities, pushes, next, served } = await clientCalled("claude-code");
  expect(capabilities.experimental).toEqual({ "claude/channel": {} });
  const notice = next();
  await pushes.get("one")?.("Something waits.", { event: "message" });
  expect(await notice).toEqual({
    jsonrpc: "2.0",
    method: "notifications/claude/channel",
    params: { content: "Something waits.", meta: { event: "message" } },
  });
  await served.close();
});

test("a client that went away is not pushed to", async () => {
  const { pushes, served } = await clientCalled("claude-code");
  expect([...pushes.keys()]).toEqual(["one"]);
  await served.close();
  await served.closed;
  await expect.poll(() => pushes.size).toBe(0);
});

test("other clients, and commands of the owner, are pushed nothing", async () => {
  expect((await clientCalled("cursor")).pushes.size).toBe(0);
  expect((await clientCalled("claude-code", { isOwner: true })).pushes.size).toBe(0);
});

test("calls are heard from their beginning to their end, and whether the owner's command made them", async () => {
  expect((await clientCalled("cursor")).heard).toEqual(["one calls echo", "echo is over"]);
  expect((await clientCalled("darkmatter", { isOwner: true })).heard).toEqual([
    "the owner calls echo",
    "echo is over",
  ]);
});
