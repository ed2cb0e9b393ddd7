import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineCutter } from "./lines.ts";
import { CALL_META_KEY, createPump } from "./pump.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";

function pumpWithCalls() {
  let calls = 0;
  return createPump(() => `call-${++calls}`);
}
const request = (id: number | string, method: string, params?: object) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
const notice = (method: string, params?: object) => JSON.stringify({ jsonrpc: "2.0", method, params });
const answer = (id: number | string, result: object = {}) => JSON.stringify({ jsonrpc: "2.0", id, result });

test("a call gets an id of its own, beside whatever the client put into its meta", () => {
  const pump = pumpWithCalls();
  const sent = pump.fromClient(request(1, "tools/call", { name: "t", _meta: { progressToken: 7 } }));
  expect(JSON.parse(sent).params).toEqual({
    name: "t",
    _meta: { progressToken: 7, [CALL_META_KEY]: "call-1" },
  });
});

test("everything but calls passes unchanged, damaged lines included", () => {
  const pump = pumpWithCalls();
  for (const line of [request(1, "tools/list"), '{"a":  1}', "not json", "[1]", answer("s-1")]) {
    expect(pump.fromClient(line)).toBe(line);
  }
});

test("another owner hears the opening under an id of the session's own, then what waits, under the same call id", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(0, "initialize", { protocolVersion: "2025-11-25" }));
  expect(pump.fromServer(answer(0))).toBe(answer(0));
  pump.fromClient(notice("notifications/initialized"));
  const call = pump.fromClient(request(1, "tools/call", { name: "t" }));

  const [initialize, initialized, again, ...rest] = pump.replay();

  expect(JSON.parse(initialize!)).toMatchObject({ id: "darkmatter/replay/1", method: "initialize" });
  expect(JSON.parse(initialized!)).toMatchObject({ method: "notifications/initialized" });
  expect(again).toBe(call);
  expect(rest).toEqual([]);
  expect(pump.fromServer(answer("darkmatter/replay/1"))).toBeUndefined();
  expect(pump.fromServer(answer(1))).toBe(answer(1));
  expect(pump.fromServer(answer(1))).toBeUndefined();
});

test("an opening that was never answered is sent again under its own id, once", () => {
  const pump = pumpWithCalls();
  const initialize = request(0, "initialize");
  pump.fromClient(initialize);
  expect(pump.replay()).toEqual([initialize]);
});

test("what was cancelled is not sent again", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(1, "tools/call", { name: "t" }));
  pump.fromClient(notice("notifications/cancelled", { requestId: 1 }));
  expect(pump.replay()).toEqual([]);
});

test("a resource's subscription is renewed with a new owner until it is given up", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(1, "resources/subscribe", { uri: "a:b" }));
  pump.fromServer(answer(1));
  expect(pump.replay()).toHaveLength(1);
  pump.fromClient(request(2, "resources/unsubscribe", { uri: "a:b" }));
  pump.fromServer(answer(2));
  expect(pump.replay()).toEqual([]);
});

test("progress the client has heard of is dropped, and a token used again begins anew", () => {
  const pump = pumpWithCalls();
  const progress = (value: number) =>
    notice("notifications/progress", { progressToken: "p", progress: value });
  const call = request(1, "tools/call", { name: "t", _meta: { progressToken: "p" } });
  pump.fromClient(call);
  expect([1, 2, 1, 2, 3].map((value) => pump.fromServer(progress(value)) !== undefined)).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  pump.fromServer(answer(1));
  pump.fromClient(call);
  expect(pump.fromServer(progress(1))).toBe(progress(1));
});

test("a repeated acknowledgement is dropped, and each era hears in its way that the tools may have changed", () => {
  const modern = pumpWithCalls();
  modern.fromClient(request(5, "subscriptions/listen", { notifications: { toolsListChanged: true } }));
  const acknowledged = notice("notifications/subscriptions/acknowledged", {
    notifications: { toolsListChanged: true },
    _meta: { [SUBSCRIPTION]: 5 },
  });
  expect(modern.fromServer(acknowledged)).toBe(acknowledged);
  expect(modern.replay()).toHaveLength(1);
  expect(modern.fromServer(acknowledged)).toBeUndefined();
  expect(modern.ownerChanged().map((line) => JSON.parse(line).params._meta[SUBSCRIPTION])).toEqual([5]);

  const older = pumpWithCalls();
  older.fromClient(request(0, "initialize"));
  expect(older.ownerChanged()).toEqual([]);
  older.fromServer(answer(0));
  expect(older.ownerChanged().map((line) => JSON.parse(line).params)).toEqual([{}]);
});

test("what could not be done is answered with an error once, and its late answer is dropped", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(1, "tools/list"));
  expect(pump.failPending("the owner is stopped").map((line) => JSON.parse(line))).toEqual([
    { jsonrpc: "2.0", id: 1, error: { code: -32000, message: "the owner is stopped" } },
  ]);
  expect(pump.fromServer(answer(1))).toBeUndefined();
  expect(pump.replay()).toEqual([]);
});

test("a subscription outlives an owner that is reported: it is due nothing, and the next one takes it up", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(5, "subscriptions/listen", { notifications: { toolsListChanged: true } }));
  pump.fromServer(
    notice("notifications/subscriptions/acknowledged", {
      notifications: { toolsListChanged: true },
      _meta: { [SUBSCRIPTION]: 5 },
    }),
  );
  expect(pump.failPending("the owner is stopped")).toEqual([]);
  expect(pump.replay()).toHaveLength(1);
  expect(pump.ownerChanged()).toHaveLength(1);
});

test("asking what a server offers is not yet being in earnest", () => {
  const pump = pumpWithCalls();
  pump.fromClient(request(0, "server/discover"));
  expect(pump.inEarnest).toBe(false);
  pump.fromClient(request(1, "tools/list"));
  expect(pump.inEarnest).toBe(true);
});

test("no line makes the pump throw, and what waits never exceeds what was asked", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((params) => `{"id":1,"method":"tools/call","params":${params}}`),
  );
  fc.assert(
    fc.property(fc.array(text), fc.array(text), (asked, told) => {
      const pump = pumpWithCalls();
      for (const line of asked) pump.fromClient(line);
      for (const line of told) pump.fromServer(line);
      pump.replay();
      pump.ownerChanged();
      return pump.pending <= asked.length;
    }),
  );
});

test("lines come out whole however the text is cut", () => {
  const line = fc.string({ minLength: 1 }).filter((text) => !/[\r\n]/.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 1, max: 7 }), (lines, size) => {
      const cutter = createLineCutter();
      const text = lines.map((one) => `${one}\r\n\n`).join("");
      const found: string[] = [];
      for (let at = 0; at < text.length; at += size) found.push(...cutter.push(text.slice(at, at + size)));
      expect(found).toEqual(lines);
    }),
  );
});

test("a line without end is refused before it fills the memory", () => {
  const cutter = createLineCutter(100);
  expect(() => Array.from({ length: 20 }, () => cutter.push("x".repeat(10)))).toThrow(RangeError);
});
