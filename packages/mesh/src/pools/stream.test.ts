import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JsonObject, systemClock } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createUndiciWire, type Wire } from "@darkmatter/net";
import { serveHttp } from "@darkmatter/surface";
import { expect, test } from "vitest";
import { testNode } from "../testing/memory-network.ts";
import type { Provider } from "./pool.ts";
import { watched } from "./stream.ts";
import { forwardTo, STREAM_IDLE_MS, STREAM_MS } from "./upstream.ts";

const OWNER = { session: "owner" };
const EVENTS = { "content-type": "text/event-stream" };
const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;

async function served(listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A real node over real sockets, with one provider. */
async function realNode(baseUrl: string, handlerType: string, config: JsonObject = {}, module?: string) {
  const wire = createUndiciWire();
  const place = { host: "127.0.0.1", port: 0 };
  const node = await testNode({
    clock: systemClock,
    random: seededRandom(1),
    wire,
    seed: "5d".repeat(32),
    ...place,
  });
  const server = await serveHttp({ handler: node.handler, ...place, onError: () => undefined });
  const owner = (name: string, input: JsonObject) => node.tool(`owner_pool_${name}`, input, OWNER);
  const pool = await owner("create", {
    name: "x",
    tags: ["pool"],
    handler_type: handlerType,
    ...(module && { handler_module: module }),
  });
  const poolId = String(pool.pool_id);
  await owner("add_provider", {
    pool_id: poolId,
    base_url: baseUrl,
    allowed_paths: ["/v1"],
    price_per_call: 0.01,
    handler_config: config,
  });
  const granted = await owner("grant", { pool_id: poolId, consumer_agent_id: "ab".repeat(32), amount: 1 });
  return {
    reports: node.reports,
    url: server.url,
    call: { pool_id: poolId, access_token: String(granted.token_id), method: "POST", path: "/v1/chat" },
    async token(): Promise<JsonObject> {
      const { tokens } = await owner("tokens", { pool_id: poolId });
      return (tokens as JsonObject[])[0] ?? {};
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await node[Symbol.asyncDispose]();
      await wire.close();
    },
  };
}

/** Posts, and reads the answer piece by piece. */
function posted(url: string, body: object) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(`${url}/__darkmatter__/pool_proxy`, { method: "POST" }, resolve);
  outgoing.on("error", reject);
  outgoing.end(JSON.stringify(body));
  return { answer: promise, leave: () => outgoing.destroy() };
}

async function settled(read: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200 && !(await read()); tries++) await systemClock.sleep(10);
}

test("events reach the consumer before the provider has sent the last, and are paid by their usage", async () => {
  const goOn = Promise.withResolvers<void>();
  const asked: string[] = [];
  using api = await served(async (incoming, response) => {
    for await (const piece of incoming) asked.push(String(piece));
    response.writeHead(200, EVENTS);
    response.write(event({ choices: [{ delta: { content: "Hel" } }] }));
    await goOn.promise;
    response.end(event({ choices: [], usage: { prompt_tokens: 1000, completion_tokens: 2000 } }));
  });
  const config = { price_per_1k_prompt_tokens: 0.1, price_per_1k_completion_tokens: "0.2" };
  await using node = await realNode(api.url, "openai", config);
  const body = JSON.stringify({ model: "m", stream: true, max_tokens: 10 });
  const answer = await posted(node.url, { ...node.call, body }).answer;
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  const pieces = answer.iterator({ destroyOnReturn: false });
  const first = await pieces.next();
  expect(String(first.value)).toContain("Hel");
  goOn.resolve();
  const rest: string[] = [];
  for await (const piece of answer) rest.push(String(piece));
  expect(rest.join("")).toContain("completion_tokens");
  expect(JSON.parse(asked.join(""))).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  await settled(async () => (await node.token()).calls_made === 1);
  expect(await node.token()).toMatchObject({ balance: 0.49, total_spent: 0.51, calls_made: 1 });
});

test("a consumer that leaves ends the provider's stream, and pays for what came", async () => {
  const ended = Promise.withResolvers<void>();
  using api = await served((_incoming, response) => {
    response.writeHead(200, EVENTS);
    const timer = setInterval(() => response.write(event({ choices: [{ delta: { content: "a" } }] })), 5);
    response.on("close", () => {
      clearInterval(timer);
      ended.resolve();
    });
  });
  await using node = await realNode(api.url, "openai", { price_per_1k_completion_tokens: 1 });
  const call = posted(node.url, { ...node.call, body: JSON.stringify({ stream: true, max_tokens: 100 }) });
  const answer = await call.answer;
  answer.on("error", () => undefined);
  await new Promise((resolve) => answer.once("data", resolve));
  call.leave();
  await ended.promise;
  await settled(async () => (await node.token()).calls_made === 1);
  const { total_spent: spent } = await node.token();
  expect(spent).toBeGreaterThanOrEqual(0.011);
  expect(spent).toBeLessThan(0.1);
});

test("a provider's gigabyte neither reaches the consumer nor grows the node", async () => {
  let sent = 0;
  const piece = Buffer.alloc(1024 * 1024, "x");
  using api = await served((_incoming, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = () => {
      while (sent < 1024) {
        sent++;
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on("drain", more);
    more();
  });
  await using node = await realNode(api.url, "passthrough");
  const before = process.memoryUsage().rss;
  const answer = await posted(node.url, node.call).answer;
  expect(answer.statusCode).toBe(502);
  answer.resume();
  expect(sent).toBeLessThan(200);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  expect(await node.token()).toMatchObject({ balance: 1 });
});

test("a handler that fails at the end of a stream is reported, and what was set aside is free again", async () => {
  using api = await served((_incoming, response) => response.writeHead(200, EVENTS).end(event({ a: 1 })));
  const folder = mkdtempSync(join(tmpdir(), "dm-handler-"));
  const module = join(folder, "handler.mjs");
  writeFileSync(
    module,
    `export default { handlerType: "mine", estimateCost: () => "1", async proxy(provider, request, forward) {
      const { stream, ...rest } = await forward(request, { streams: true });
      return { ...rest, cost: 0, streaming: true, bodyStream: stream, finalCost() { throw new Error("x"); } };
    } };`,
  );
  await using node = await realNode(api.url, "mine", {}, module);
  for (let at = 0; at < 3; at++) {
    const answer = await posted(node.url, node.call).answer;
    expect(answer.statusCode).toBe(200);
    for await (const part of answer) expect(String(part)).toContain("data:");
  }
  expect(node.reports.length).toBe(3);
  rmSync(folder, { recursive: true });
});

test("who knows nothing of streams gets events as JSON", async () => {
  using api = await served((_incoming, response) => response.writeHead(200, EVENTS).end(event({ a: 1 })));
  await using node = await realNode(api.url, "passthrough");
  const answer = await posted(node.url, node.call).answer;
  const pieces: string[] = [];
  for await (const part of answer) pieces.push(String(part));
  const { body_b64: body } = JSON.parse(pieces.join("")) as { body_b64: string };
  expect(Buffer.from(body, "base64").toString()).toBe(event({ a: 1 }));

  const streamed = await posted(node.url, { ...node.call, headers: { accept: "text/event-stream" } }).answer;
  expect(streamed.headers["content-type"]).toBe("text/event-stream");
  streamed.resume();
});

async function* never(): AsyncGenerator<Uint8Array> {
  await new Promise(() => undefined);
}

async function* always(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(1);
}

function watch(source: AsyncIterable<Uint8Array>) {
  const clock = virtualClock({ startMs: 0 });
  const ends: boolean[] = [];
  const [stop, left] = [new AbortController(), new AbortController()];
  const ended = async (whole: boolean) => void ends.push(whole);
  const stream = watched(clock, source, { stop, gone: left.signal, ended });
  return { clock, ends, stop, left, pieces: stream[Symbol.asyncIterator]() };
}

test("a stream that says nothing for a minute is ended", async () => {
  const { clock, ends, stop, pieces } = watch(never());
  const next = pieces.next();
  next.catch(() => undefined);
  await clock.advance(STREAM_IDLE_MS + 1);
  await expect(next).rejects.toMatchObject({ code: "TIMEOUT" });
  expect({ ends, stopped: stop.signal.aborted }).toEqual({ ends: [false], stopped: true });
});

test("an endless stream is ended after ten minutes", async () => {
  const { clock, ends, stop, pieces } = watch(always());
  expect(await pieces.next()).toMatchObject({ done: false });
  await clock.advance(STREAM_MS + 1);
  expect(await pieces.next()).toMatchObject({ done: true });
  expect({ ends, stopped: stop.signal.aborted }).toEqual({ ends: [false], stopped: true });
});

test("a stream nobody ever reads is settled once its consumer is gone", async () => {
  const { clock, ends, stop, left } = watch(always());
  left.abort();
  await clock.settle();
  expect({ ends, stopped: stop.signal.aborted }).toEqual({ ends: [false], stopped: true });
});

test("an answer that is no stream after all, and never ends, has no more time than any other", async () => {
  const clock = virtualClock({ startMs: 0 });
  const stream = async () => ({ status: 200, headers: { "content-type": "text/plain" }, body: never() });
  const wire = { stream, request: never, close: async () => undefined } as unknown as Wire;
  const provider = { baseUrl: "https://api.example", credentialHeader: "Authorization" } as Provider;
  const { signal } = new AbortController();
  const forward = forwardTo(wire, { provider, credentialValue: "", clock, timeoutMs: 30_000, signal });
  const asked = forward({ method: "GET", path: "/v1", headers: {}, body: "" }, { streams: true });
  const refused = expect(asked).rejects.toMatchObject({ code: "TIMEOUT" });
  await clock.advance(30_001);
  await refused;
}, 2000);
