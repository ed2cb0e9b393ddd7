import { systemClock, systemRandom } from "@darkmatter/core";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { type HttpServer, serveHttp } from "../adapters/http-server.ts";
import { localOnly } from "../guards.ts";
import { createHandler } from "../handler.ts";
import { callHandler, inbound } from "../testing/call-handler.ts";
import { connectMcpHttp, ERAS } from "../testing/mcp-client.ts";
import { type SampleTable, sampleTable } from "../testing/sample-table.ts";
import { mcpRoutes } from "./http.ts";

const running: { close(): Promise<void> }[] = [];
const errors: unknown[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
  expect(errors.splice(0)).toEqual([]);
});

function handlerOf(table: SampleTable, clock = systemClock) {
  const mcp = mcpRoutes(table, {
    guards: [localOnly()],
    identity: { name: "test-server", version: "1.0.0" },
    clock,
    random: systemRandom,
    onError: ({ error }) => errors.push(error),
  });
  running.push(mcp);
  return { mcp, handler: createHandler(mcp.routes, { onError: ({ error }) => errors.push(error) }) };
}

async function serve(
  table: SampleTable,
): Promise<{ url: string; server: HttpServer; mcp: { close(): Promise<void> } }> {
  const { mcp, handler } = handlerOf(table);
  const server = await serveHttp({
    handler,
    host: "127.0.0.1",
    port: 0,
    onError: (error) => errors.push(error),
  });
  running.push(server);
  return { url: `${server.url}/mcp`, server, mcp };
}

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};
const list = { jsonrpc: "2.0", id: 2, method: "tools/list", params: {} };
const accept = { accept: "application/json, text/event-stream" };

test.each(ERAS)("a client of %s lists, calls, reads and hears progress over HTTP", async (era) => {
  const table = sampleTable();
  const { url } = await serve(table);
  const client = await connectMcpHttp(era, url);
  expect(client.instructions).toBe("Say something.");
  expect(await client.names()).toEqual(["echo", "status", "broken", "wait"]);
  const said = await client.call("echo", { words: "hi" }, { meta: { "darkmatter/call": "call-7" } });
  expect(said.structured).toMatchObject({ success: true, words: "hi" });
  expect(table.calls[0]?.call.callId).toBe("call-7");
  expect(await client.readResource("darkmatter://status")).toBe("calm");
  const heard: unknown[] = [];
  await client.call(
    "wait",
    { forever: false },
    { onProgress: ({ progress, total }) => heard.push([progress, total]) },
  );
  expect(heard).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
  await client.close();
});

test.each(ERAS)("a client of %s cancels a call over HTTP", async (era) => {
  const table = sampleTable();
  const { url } = await serve(table);
  const client = await connectMcpHttp(era, url);
  const cancel = new AbortController();
  const onProgress = ({ progress }: { progress: number }) => progress === 3 && cancel.abort();
  const waiting = client.call("wait", { forever: true }, { signal: cancel.signal, onProgress });
  await expect(waiting).rejects.toThrow();
  await expect.poll(() => table.calls[0]?.call.signal.aborted).toBe(true);
  await client.close();
});

test.each(ERAS)(
  "a changed list and a hidden tool that was used are announced to a client of %s over HTTP",
  async (era) => {
    const table = sampleTable();
    const { url } = await serve(table);
    const client = await connectMcpHttp(era, url);
    // The stream of notices opens beside the first request.
    await client.names();
    await new Promise((resolve) => setTimeout(resolve, 100));
    table.status = "busy";
    table.announce();
    await client.changed();
    expect((await client.tools()).find(({ name }) => name === "status")?.description).toBe(
      "LIVE STATUS: busy",
    );
    await client.call("hidden");
    await client.changed();
    expect(await client.names()).toContain("hidden");
    await client.close();
  },
);

test("a session nobody knows is 404, and the client begins anew", async () => {
  const table = sampleTable();
  const { handler } = handlerOf(table);
  const post = (body: object, headers: Record<string, string> = {}) =>
    callHandler(handler, { method: "POST", path: "/mcp", body, headers: { ...accept, ...headers } });
  const dead = await post(list, { "mcp-session-id": "of-a-process-that-died" });
  expect(dead).toMatchObject({ status: 404, json: { error: { code: -32001 } } });
  const begun = await post(initialize);
  const id = begun.headers["mcp-session-id"] ?? "";
  expect(begun.status).toBe(200);
  expect((await post(list, { "mcp-session-id": id })).text).toContain('"echo"');
  const ended = await callHandler(handler, {
    method: "DELETE",
    path: "/mcp",
    headers: { "mcp-session-id": id },
  });
  expect(ended.status).toBe(200);
  expect((await post(list, { "mcp-session-id": id })).status).toBe(404);
  expect(table.listeners()).toBe(1);
});

test("a client that lost its stream of notices opens it again, as often as it likes", async () => {
  const { url } = await serve(sampleTable());
  const headers = { ...accept, "content-type": "application/json" };
  const begun = await fetch(url, { method: "POST", headers, body: JSON.stringify(initialize) });
  await begun.text();
  const session = { ...accept, "mcp-session-id": begun.headers.get("mcp-session-id") ?? "" };
  for (let times = 0; times < 3; times++) {
    const leaving = new AbortController();
    const open = () => fetch(url, { headers: session, signal: leaving.signal });
    await expect.poll(async () => (await open()).status).toBe(200);
    expect((await open()).status).toBe(409);
    leaving.abort();
  }
});

test("a call ends with the connection it came on: nobody reads its result any more", async () => {
  const table = sampleTable();
  const { url } = await serve(table);
  const headers = { ...accept, "content-type": "application/json" };
  const begun = await fetch(url, { method: "POST", headers, body: JSON.stringify(initialize) });
  await begun.text();
  const session = { ...headers, "mcp-session-id": begun.headers.get("mcp-session-id") ?? "" };
  const params = { name: "wait", arguments: { forever: true } };
  const call = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params });
  const leaving = new AbortController();
  await fetch(url, { method: "POST", headers: session, body: call, signal: leaving.signal });
  await expect.poll(() => table.calls[0]?.call.signal.aborted).toBe(false);
  leaving.abort();
  await expect.poll(() => table.calls[0]?.call.signal.aborted).toBe(true);
});

test("a caller gone before its stream began leaves nothing open", async () => {
  const { handler } = handlerOf(sampleTable());
  const post = (body: object) =>
    callHandler(handler, { method: "POST", path: "/mcp", body, headers: accept });
  const id = (await post(initialize)).headers["mcp-session-id"] ?? "";
  const leaving = new AbortController();
  const open = (signal: AbortSignal) =>
    handler(inbound({ method: "GET", path: "/mcp", headers: { ...accept, "mcp-session-id": id }, signal }));
  expect((await open(leaving.signal)).status).toBe(200);
  expect((await open(leaving.signal)).status).toBe(409);
  leaving.abort();
  expect((await open(new AbortController().signal)).status).toBe(200);
});

test("sessions are bounded: the longest idle give way, by number and by time", async () => {
  const table = sampleTable();
  const time = { now: 0 };
  const { handler } = handlerOf(table, { ...systemClock, monotonic: () => time.now });
  const post = async (body: object, id?: string) =>
    callHandler(handler, {
      method: "POST",
      path: "/mcp",
      body,
      headers: { ...accept, ...(id && { "mcp-session-id": id }) },
    });
  const begin = async () => (await post(initialize)).headers["mcp-session-id"] ?? "";
  const first = await begin();
  const second = await begin();
  for (let more = 0; more < 254; more++) await begin();
  expect((await post(list, first)).status).toBe(200);
  const last = await begin();
  expect((await post(list, second)).status).toBe(404);
  expect((await post(list, first)).status).toBe(200);
  time.now = 31 * 60_000;
  await post(list, last);
  await begin();
  expect((await post(list, first)).status).toBe(404);
  expect((await post(list, last)).status).toBe(200);
  // Those two, the newest, and the one all callers without sessions share.
  expect(table.listeners()).toBe(3);
});

test.each(["/mcp", "/mcp/"])(
  "a foreign host or origin, or another machine, is refused at %s",
  async (path) => {
    const { handler } = handlerOf(sampleTable());
    const statusOf = async (part: { headers?: Record<string, string>; remote?: string }) =>
      (await callHandler(handler, { method: "POST", path, body: initialize, ...part })).status;
    const refused = path === "/mcp" ? 403 : 404;
    expect(await statusOf({ headers: { ...accept, host: "evil.example:8100" } })).toBe(refused);
    expect(await statusOf({ headers: { ...accept, origin: "http://evil.example" } })).toBe(refused);
    expect(await statusOf({ headers: { ...accept, origin: "null" } })).toBe(refused);
    expect(await statusOf({ headers: accept, remote: "192.168.1.7" })).toBe(refused);
  },
);

test("closing ends sessions, streams and listening", async () => {
  const table = sampleTable();
  const { url, mcp } = await serve(table);
  const clients = await Promise.all(ERAS.map((era) => connectMcpHttp(era, url)));
  await Promise.all(clients.map((client) => client.names()));
  expect(table.listeners()).toBe(2);
  await mcp.close();
  expect(table.listeners()).toBe(0);
  await Promise.all(clients.map((client) => client.close()));
});

test("no message, however malformed, is answered by anything but a 4xx or a protocol error", async () => {
  const { handler } = handlerOf(sampleTable());
  const begun = await callHandler(handler, {
    method: "POST",
    path: "/mcp",
    body: initialize,
    headers: accept,
  });
  const id = begun.headers["mcp-session-id"] ?? "";
  const method = fc.constantFrom(
    "initialize",
    "tools/call",
    "tools/list",
    "resources/read",
    "server/discover",
    "x",
  );
  const message = fc.record(
    { jsonrpc: fc.constant("2.0"), id: fc.oneof(fc.nat(), fc.jsonValue()), method, params: fc.jsonValue() },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    fc.uint8Array(),
    fc.json(),
    message.map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(body, fc.boolean(), async (bytes, inSession) => {
      const headers = {
        ...accept,
        "content-type": "application/json",
        ...(inSession && { "mcp-session-id": id }),
      };
      const answer = await callHandler(handler, { method: "POST", path: "/mcp", body: bytes, headers });
      expect(answer.status).toBeLessThan(500);
      if (answer.status >= 400) expect(answer.json).toHaveProperty("error");
    }),
    { numRuns: 300 },
  );
});
