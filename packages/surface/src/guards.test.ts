import { expect, test } from "vitest";
import { localOnly, ready } from "./guards.ts";
import { createHandler } from "./handler.ts";
import { json } from "./route.ts";
import { callHandler, type HandlerCall } from "./testing/call-handler.ts";

const state = { ready: true };
const handler = createHandler(
  [
    {
      method: "GET",
      path: "/inbox",
      summary: "local",
      guards: [ready(() => state.ready), localOnly()],
      body: "none",
      handle: async () => json(200, { count: 0 }),
    },
  ],
  { onError: (report) => expect.unreachable(String(report.error)) },
);

const get = (call: Partial<HandlerCall>) => callHandler(handler, { method: "GET", path: "/inbox", ...call });

test.each(["127.0.0.1", "127.0.0.1:8100", "localhost:65535", "LOCALHOST", "[::1]:8101", "[::1]"])(
  "the machine itself may be called %s",
  async (host) => {
    expect((await get({ headers: { host } })).status).toBe(200);
    expect((await get({ headers: { host, origin: `http://${host}` } })).status).toBe(200);
  },
);

test.each([
  "",
  "evil.example",
  "localhost.evil.example",
  "127.0.0.1.evil.example:8100",
  "evil.example#localhost",
  "user@localhost",
  "localhost:80:80",
  "localhost/",
  "::1",
  "[::1",
  "127.0.0.2",
  "0.0.0.0",
])("a request for the host %j is refused", async (host) => {
  expect((await get({ headers: { host } })).status).toBe(403);
  expect((await get({ headers: { origin: `http://${host}` } })).status).toBe(403);
});

test.each([
  "null",
  "",
  "file://",
  "http://",
  "http://evil.example",
  "https://localhost@evil.example",
  "localhost",
])("a page of the origin %j is refused", async (origin) => {
  const answer = await get({ headers: { origin } });
  expect(answer.status).toBe(403);
  expect(answer.json).toEqual({ error: "Origin not allowed" });
});

test.each(["192.168.1.7", "::ffff:10.0.0.1", "", "128.0.0.1", "fe80::1"])(
  "a caller at %j is refused whatever host it names",
  async (remote) => {
    expect((await get({ remote })).status).toBe(403);
  },
);

test.each(["x-forwarded-for", "forwarded", "x-real-ip", "via"])(
  "a request with %s came by a proxy",
  async (header) => {
    expect((await get({ headers: { [header]: "127.0.0.1" } })).status).toBe(403);
  },
);

test("a node that is not ready says so before it refuses anything else", async () => {
  state.ready = false;
  expect((await get({ remote: "192.168.1.7" })).status).toBe(503);
  state.ready = true;
});
