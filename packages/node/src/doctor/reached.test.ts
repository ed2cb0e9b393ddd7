import type { JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { reachedFindings } from "./reached.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const WELL = {
  running: true,
  beyond_loopback: false,
  discovery: { enabled: true, multicast: false, seen: 1 },
  anchors: [],
  peers: [],
  queue: { waiting: 0, oldest_at: null },
};
const levels = (said: JsonObject) =>
  Object.fromEntries(reachedFindings({ ...WELL, ...said }, NOW).map(({ check, level }) => [check, level]));
const peer = (more: JsonObject): JsonObject => ({ agent_id: "ab".repeat(32), name: "bo", url: "u", ...more });

test("a node without peers is well", () => {
  expect(Object.values(levels({})).every((level) => level === "ok")).toBe(true);
});

test.each([
  [0, "ok"],
  [60_000, "ok"],
  [-60_001, "warn"],
  [300_000, "warn"],
  [300_001, "fail"],
  [-300_001, "fail"],
])("a clock that is %i ms off is %s", (clock_ms, level) => {
  expect(levels({ peers: [peer({ http: { ok: true, ms: 1 }, clock_ms })] })).toMatchObject({ clock: level });
});

test("the clock that most differ from is this machine's", () => {
  const off = peer({ http: { ok: true, ms: 1 }, clock_ms: 400_000 });
  const [clock] = reachedFindings({ ...WELL, peers: [off, off] }, NOW).filter(
    ({ check }) => check === "clock",
  );
  expect(clock?.what).toMatch(/^This machine's clock is off: 400 s behind 2 of 2/);
});

test.each([
  ["answers over HTTP", { http: { ok: true, ms: 3 } }, "ok"],
  ["answers by a channel alone", { http: { ok: false }, channel: { ok: true, ms: 2 } }, "ok"],
  ["is reached by an anchor alone", { http: { ok: false }, way: "anchor" }, "ok"],
  ["answers nowhere", { http: { ok: false, error: "refused" }, channel: null }, "warn"],
])("a peer that %s is %s", (_name, state, level) => {
  expect(levels({ peers: [peer(state)] })).toMatchObject({ peer: level });
});

test.each([
  [{ waiting: 2, oldest_at: new Date(NOW - 60_000).toISOString() }, "ok"],
  [{ waiting: 2, oldest_at: new Date(NOW - 601_000).toISOString() }, "warn"],
])("a queue of %j is %s", (queue, level) => {
  expect(levels({ queue })).toMatchObject({ queue: level });
});

test("beyond loopback without a multicast group discovery is not whole, and the address is told with what it takes", () => {
  expect(levels({ beyond_loopback: true })).toMatchObject({ discovery: "warn" });
  const lan = { beyond_loopback: true, discovery: { enabled: true, multicast: true, seen: 0 } };
  expect(levels(lan)).toMatchObject({ discovery: "ok", address: "ok" });
  expect(levels({ public_url: { url: "https://a.example", ok: false, error: "refused" } })).toMatchObject({
    address: "warn",
  });
  expect(levels({ public_url: { url: "https://a.example", ok: true, ms: 9 } })).toMatchObject({
    address: "ok",
  });
});

test("an older node that says less is not found ill for it", () => {
  expect(reachedFindings({}, NOW).every(({ level }) => level === "ok")).toBe(true);
});

test("a peer's words move no cursor", () => {
  const said = JSON.stringify(
    reachedFindings({ ...WELL, peers: [peer({ name: "\u001b[2Jx", http: { ok: true, ms: 1 } })] }, NOW),
  );
  expect(said).not.toContain("\\u001b");
});
