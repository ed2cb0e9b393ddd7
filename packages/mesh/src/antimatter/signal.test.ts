import { isoTime, type Json, type JsonObject } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { handoffsIn, parseSignal, refusalOf } from "./signal.ts";

const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const SELF = "e".repeat(64);
const signal = (fields: JsonObject = {}): JsonObject => ({
  signal_id: "am-9d81a6a769eb",
  original_tx: "tx1",
  sender_agent_id: "a".repeat(64),
  amount: 0.01,
  token: "SOL",
  token_decimals: 9,
  sender_superagent_wallet: "",
  callback_url: "http://127.0.0.1:8130/__darkmatter__/antimatter_result",
  hops: 1,
  max_hops: 10,
  created_at: isoTime(NOW_MS),
  path: ["b".repeat(64)],
  ...fields,
});
const refusal = (fields: JsonObject) => refusalOf(parseSignal(signal(fields)), SELF, NOW_MS);

test("a signal as the first generation sends it is taken", () => {
  expect(refusal({})).toBeUndefined();
  expect(parseSignal(signal({ token_decimals: 9.0, unknown: 1 }))).not.toHaveProperty("unknown");
});

test.each<[string, JsonObject]>([
  ["no id", { signal_id: "" }],
  ["an id of 10,000 characters", { signal_id: "x".repeat(10_000) }],
  ["a line feed in a field", { original_tx: "a\nb" }],
  ["half a surrogate", { token: "\ud800" }],
  ["a negative amount", { amount: -1 }],
  ["no amount", { amount: 0 }],
  ["an amount as text", { amount: "0.01" }],
  ["an amount of 1e300", { amount: 1e300 }],
  ["negative hops", { hops: -1 }],
  ["half a hop", { hops: 1.5 }],
  ["hops as text", { hops: "1" }],
  ["negative decimals", { token_decimals: -1 }],
  ["decimals beyond any token's", { token_decimals: 400 }],
  ["no time", { created_at: null }],
  ["a time that is none", { created_at: "yesterday" }],
  ["a time without an offset", { created_at: "2026-03-05T12:00:00" }],
  ["no path", { path: null }],
  ["a path that is a text", { path: "abc" }],
  ["a path with junk", { path: [1, {}] }],
  ["a path with a line feed", { path: ["a\nb"] }],
  ["a path of 10,000", { path: Array.from({ length: 10_000 }, (_, at) => `a${at}`) }],
  ["a path that goes in circles", { path: ["a", "b", "a"] }],
  ["a callback to a private place", { callback_url: "http://127.0.0.1:80/admin" }],
  ["a callback with a query", { callback_url: "http://8.8.8.8/__darkmatter__/antimatter_result?x=1" }],
  ["a callback to the link", { callback_url: "http://169.254.169.254/__darkmatter__/antimatter_result" }],
  ["a callback to another path", { callback_url: "http://8.8.8.8/__darkmatter__/message" }],
  ["a callback that is no URL", { callback_url: "file:///etc/passwd" }],
])("%s is refused", (_title, fields) => {
  expect(() => parseSignal(signal(fields))).toThrow("Invalid antimatter signal");
});

test("ten hops are the most, whatever a signal allows itself, and a path longer than its hops counts", () => {
  expect(refusal({ hops: 10, max_hops: 10 })).toContain("max hops");
  expect(refusal({ hops: 10, max_hops: 2 ** 31 })).toContain("max hops");
  expect(refusal({ hops: 3, max_hops: 3 })).toContain("max hops");
  expect(refusal({ hops: 0, path: Array.from({ length: 10 }, (_, at) => `a${at}`) })).toContain("max hops");
  expect(parseSignal(signal({ max_hops: null })).max_hops).toBe(10);
});

test("a signal lives for 300 s, and one of the future is none", () => {
  expect(refusal({ created_at: isoTime(NOW_MS - 300_000) })).toBeUndefined();
  expect(refusal({ created_at: isoTime(NOW_MS - 301_000) })).toContain("age");
  expect(refusal({ created_at: isoTime(NOW_MS + 301_000) })).toContain("age");
});

test("a signal that was here before is refused", () => {
  expect(refusal({ path: ["b".repeat(64), SELF] })).toContain("Loop");
});

test("no body breaks the parsers", () => {
  const names = Object.keys(signal());
  const some = fc.dictionary(fc.constantFrom(...names, "handoffs"), fc.jsonValue());
  fc.assert(
    fc.property(some, (fields) => {
      for (const parse of [
        () => parseSignal(signal(fields as JsonObject)),
        () => handoffsIn(fields.handoffs as Json),
      ]) {
        try {
          parse();
        } catch (error) {
          expect(error).toMatchObject({ code: "BAD_REQUEST" });
        }
      }
    }),
  );
});
