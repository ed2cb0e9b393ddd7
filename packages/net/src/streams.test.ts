import { expect, test } from "vitest";
import { createUndiciWire } from "./adapters/undici-wire.ts";
import { listenOnLoopback } from "./testing/loopback-server.ts";
import type { Handler, HandlerResponse, OutboundRequest, Wire } from "./wire.ts";

const MIB = 1024 * 1024;

async function opened(handler: Handler) {
  const wire = createUndiciWire();
  const { server, base } = await listenOnLoopback(handler);
  const stream = (more: Partial<OutboundRequest> = {}) =>
    (wire.stream as NonNullable<Wire["stream"]>)({
      method: "GET",
      url: base,
      timeoutMs: 5000,
      reach: "private",
      maxBytes: 256 * MIB,
      ...more,
    });
  return {
    stream,
    async [Symbol.asyncDispose]() {
      await wire.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const pieces = (count: number, sent: { count: number }): HandlerResponse => ({
  status: 200,
  headers: {},
  body: (async function* () {
    for (; sent.count < count; sent.count++) yield new Uint8Array(MIB);
  })(),
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a streamed answer is taken no faster than it is read", async () => {
  const sent = { count: 0 };
  await using net = await opened(async () => pieces(128, sent));
  const { body, status } = await net.stream();
  await pause(200);
  expect(sent.count).toBeLessThan(64);
  let size = 0;
  for await (const piece of body) size += piece.byteLength;
  expect({ status, size }).toEqual({ status: 200, size: 128 * MIB });
});

test("a streamed answer beyond its limit breaks off", async () => {
  await using net = await opened(async () => pieces(128, { count: 0 }));
  const { body } = await net.stream({ maxBytes: 3 * MIB });
  let size = 0;
  const read = async () => {
    for await (const piece of body) size += piece.byteLength;
  };
  await expect(read()).rejects.toMatchObject({ code: "ANSWER_TOO_LARGE" });
  expect(size).toBeLessThanOrEqual(3 * MIB);
});

test("who stops reading, or aborts, ends the exchange on the other side", async () => {
  const gone: Array<Promise<void>> = [];
  await using net = await opened(async ({ signal }) => {
    gone.push(new Promise((resolve) => signal.addEventListener("abort", () => resolve())));
    return pieces(100_000, { count: 0 });
  });
  const first = await net.stream();
  for await (const _ of first.body) break;
  const leaves = new AbortController();
  const second = await net.stream({ signal: leaves.signal });
  const read = async () => {
    for await (const _ of second.body) leaves.abort();
  };
  await expect(read()).rejects.toMatchObject({ code: "ABORTED" });
  await Promise.all(gone);
});

test("a streamed answer keeps to the guard, and its head to the deadline", async () => {
  await using net = await opened(() => new Promise(() => undefined));
  await expect(net.stream({ reach: "public" })).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
  await expect(net.stream({ timeoutMs: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
  await expect(net.stream({ url: "http://127.0.0.1:9" })).rejects.toMatchObject({ code: "UNREACHABLE" });
});
