import { errorsOf, JSON_DEPTH_MAX } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHandler, type HandlerReport, largestBody } from "./handler.ts";
import { BODY_BYTES_MAX, json, type Route, refusal } from "./route.ts";
import { callHandler } from "./testing/call-handler.ts";

const failure = errorsOf({
  NO_SUCH_PEER: { status: 404, retryable: false, message: "no such peer", hint: "connect first" },
  NO_DISK: { status: 503, retryable: true, message: "the disk is full", hint: "make room" },
});

function route(part: Partial<Route> & Pick<Route, "path">): Route {
  return {
    method: "POST",
    summary: "",
    guards: [],
    body: "json",
    handle: async ({ json: body, params }) => json(200, { body, params }),
    ...part,
  };
}

function served(...routes: Route[]) {
  const reports: HandlerReport[] = [];
  const handler = createHandler(routes, { onError: (report) => reports.push(report) });
  return { reports, call: (call: Parameters<typeof callHandler>[1]) => callHandler(handler, call) };
}

test("an unknown path is 404 and a known one with another method 405, both as plain text", async () => {
  const { call } = served(
    route({ path: "/a" }),
    route({ method: "GET", path: "/a/:id", body: "none" }),
    route({ method: "DELETE", path: "/a/:other", body: "none" }),
  );
  expect(await call({ method: "GET", path: "/b" })).toMatchObject({ status: 404, text: "Not Found" });
  expect(await call({ method: "POST", path: "/a/" })).toMatchObject({ status: 404, text: "Not Found" });
  expect(await call({ method: "POST", path: "/a/1/2" })).toMatchObject({ status: 404 });
  const wrong = await call({ method: "GET", path: "/a" });
  expect(wrong).toMatchObject({ status: 405, text: "Method Not Allowed" });
  expect(wrong.headers).toMatchObject({ "content-type": "text/plain; charset=utf-8", allow: "POST" });
  const wrongBelow = await call({ method: "POST", path: "/a/1" });
  expect(wrongBelow).toMatchObject({ status: 405, headers: { allow: "GET, HEAD, DELETE" } });
});

test("HEAD is answered by the GET route, with the length of the body it leaves out", async () => {
  const { call } = served(
    route({ method: "GET", path: "/a", body: "none", handle: async () => json(200, "é") }),
  );
  const answer = await call({ method: "HEAD", path: "/a" });
  expect(answer).toMatchObject({ status: 200, text: "", headers: { "content-length": "4" } });
  expect((await call({ method: "HEAD", path: "/b" })).status).toBe(404);
});

test("parameters arrive percent-decoded, and bad encodings are 400", async () => {
  const { call } = served(route({ path: "/m/:id/of/:who" }));
  const answer = await call({ method: "POST", path: "/m/a%2Fb%20c/of/%C3%A9", body: {} });
  expect(answer.json).toMatchObject({ params: { id: "a/b c", who: "é" } });
  for (const path of ["/m/%/of/x", "/m/%zz/of/x", "/m/%ff/of/x"]) {
    const refused = await call({ method: "POST", path, body: {} });
    expect(refused.status).toBe(400);
    expect(refused.json).toHaveProperty("error");
  }
});

test("guards run in order, before the size and the shape of the body are looked at", async () => {
  const ran: string[] = [];
  const { call } = served(
    route({
      path: "/a",
      maxBytes: 10,
      guards: [
        () => void ran.push("first"),
        async () => void ran.push("second"),
        ({ headers }) => (headers.stop ? refusal(429, "stop") : undefined),
        () => void ran.push("last"),
      ],
    }),
  );
  expect(
    (await call({ method: "POST", path: "/a", body: "not json, and long", headers: { stop: "1" } })).status,
  ).toBe(429);
  expect(ran).toEqual(["first", "second"]);
  expect((await call({ method: "POST", path: "/a", body: "not json, and long" })).status).toBe(413);
  expect((await call({ method: "POST", path: "/a", body: "not json" })).status).toBe(400);
  expect((await call({ method: "POST", path: "/a", body: {} })).status).toBe(200);
});

test("the byte at the limit passes, the next is 413 as JSON", async () => {
  const { call } = served(route({ path: "/a", body: "raw", handle: async () => json(200, {}) }));
  expect((await call({ method: "POST", path: "/a", body: new Uint8Array(BODY_BYTES_MAX) })).status).toBe(200);
  const refused = await call({ method: "POST", path: "/a", body: new Uint8Array(BODY_BYTES_MAX + 1) });
  expect(refused).toMatchObject({ status: 413, json: { error: "Request body too large" } });
  expect(largestBody([route({ path: "/a", maxBytes: 7 }), route({ path: "/b", maxBytes: 9 })])).toBe(9);
});

test.each([
  ["empty", ""],
  ["text", "hello"],
  ["a list", "[]"],
  ["null", "null"],
  ["a number", "1"],
  ["cut off", '{"a":'],
  ["two values", "{}{}"],
  ["a byte order mark", "\ufeff{}"],
  ["not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ["an encoded surrogate", new Uint8Array([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
  ["too deep", `{"a":${"[".repeat(JSON_DEPTH_MAX)}${"]".repeat(JSON_DEPTH_MAX)}}`],
  ["far too deep", `{"a":${"[".repeat(200_000)}`],
])("a body that is %s is 400 as JSON", async (_name, body) => {
  const { call, reports } = served(route({ path: "/a" }));
  const answer = await call({ method: "POST", path: "/a", body });
  expect(answer.status).toBe(400);
  expect(answer.json).toHaveProperty("error");
  expect(reports).toEqual([]);
});

test("no body, however made, is answered by anything but its own object or a 400 as JSON", async () => {
  const { call, reports } = served(route({ path: "/a" }));
  const damaged = fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = Buffer.from(text);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.string(), fc.json(), damaged), async (body) => {
      const answer = await call({ method: "POST", path: "/a", body });
      if (answer.status === 200)
        expect(answer.json).toMatchObject({ body: JSON.parse(Buffer.from(body).toString()) });
      else expect(answer).toMatchObject({ status: 400, json: { error: expect.any(String) } });
    }),
    { numRuns: 500, examples: [['{"a":1e999}'], ['{"a":[-2.5e1288]}']] },
  );
  expect(reports).toEqual([]);
});

test("a handler or guard that throws is 500, told to the log and not to the caller", async () => {
  const broken = async () => {
    throw new Error("secret of the house");
  };
  const { call, reports } = served(
    route({ path: "/a/:id", handle: broken }),
    route({ path: "/b", guards: [broken] }),
  );
  for (const path of ["/a/1", "/b"]) {
    const answer = await call({ method: "POST", path, body: {} });
    expect(answer).toMatchObject({ status: 500, json: { error: "Internal error" } });
    expect(answer.text).not.toContain("secret");
  }
  expect(reports).toMatchObject([
    { method: "POST", route: "/a/:id", error: { message: "secret of the house" } },
    { method: "POST", route: "/b" },
  ]);
});

test("an error with a code is answered with its status and hint, and reported only when it is ours", async () => {
  const { call, reports } = served(
    route({ path: "/a", handle: async () => Promise.reject(failure("NO_SUCH_PEER")) }),
    route({ path: "/b", handle: async () => Promise.reject(failure("NO_DISK")) }),
  );
  const missing = await call({ method: "POST", path: "/a", body: {} });
  expect(missing).toMatchObject({ status: 404, json: { error: "no such peer", hint: "connect first" } });
  expect(reports).toEqual([]);
  expect((await call({ method: "POST", path: "/b", body: {} })).status).toBe(503);
  expect(reports).toHaveLength(1);
});

test("two routes of one method and path are a mistake of ours", () => {
  expect(() => served(route({ path: "/a" }), route({ path: "/a" }))).toThrow(TypeError);
});

test("a server that says so takes no body for an empty object, and nothing else", async () => {
  const handler = createHandler([route({ path: "/a" })], { onError: () => undefined, isBodyOptional: true });
  const call = (body: string) => callHandler(handler, { method: "POST", path: "/a", body });
  expect(await call("")).toMatchObject({ status: 200, json: { body: {} } });
  for (const body of [" ", "null", "[]"]) expect((await call(body)).status).toBe(400);
});
