import { SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import type { Connection } from "../connections/connection.ts";
import { createConnectivity } from "./connectivity.ts";
import type { Outcome, Transport, Way } from "./transport.ts";
import { createTransports } from "./transports.ts";

const PEER = { agentId: "a".repeat(64), url: "http://192.168.7.2:8100" } as Connection;
const REQUEST = { method: "POST", path: "message", timeoutMs: SECOND_MS } as const;
const OK: Outcome = { kind: "answered", way: "http", answer: { status: 200, body: {} }, repeated: false };
const failed = (left: boolean): Outcome => ({ kind: "failed", error: new Error(`left ${left}`), left });

function world(first: { outcome: Outcome }, second: { outcome: Outcome }) {
  const clock = virtualClock();
  const tried: string[] = [];
  const way = (name: Way, how: { outcome: Outcome }): Transport => ({
    way: name,
    serves: () => true,
    carry: async () => {
      tried.push(name);
      return how.outcome;
    },
  });
  const connectivity = createConnectivity(clock);
  const transports = createTransports([way("http", first), way("anchor", second)], connectivity, clock);
  return { clock, tried, connectivity, call: (peer = PEER) => transports.call(peer, REQUEST) };
}

test("the ways are tried in order, and the first that takes the request ends it", async () => {
  const w = world({ outcome: OK }, { outcome: OK });
  expect(await w.call()).toEqual(OK);
  expect(w.tried).toEqual(["http"]);
});

test("an answer after an attempt that may have arrived is one to a repeat", async () => {
  const anchored: Outcome = { ...OK, way: "anchor" };
  expect(await world({ outcome: failed(true) }, { outcome: anchored }).call()).toMatchObject({
    repeated: true,
  });
  expect(await world({ outcome: failed(false) }, { outcome: anchored }).call()).toMatchObject({
    repeated: false,
  });
});

test("when nothing works the first reason is told, and whether any byte left", async () => {
  const outcome = await world({ outcome: failed(false) }, { outcome: failed(true) }).call();
  expect(outcome).toMatchObject({ kind: "failed", error: { message: "left false" }, left: true });
});

test("a way that failed just now is tried last for 30 s; under another address it is another way", async () => {
  const http = { outcome: failed(false) };
  const w = world(http, { outcome: { kind: "unconfirmed", way: "anchor" } });
  await w.call();
  await w.call();
  expect(w.tried).toEqual(["http", "anchor", "anchor"]);
  http.outcome = OK;
  await w.call({ ...PEER, url: "http://192.168.7.3:8100" });
  expect(w.tried.slice(3)).toEqual(["http"]);
  await w.clock.advance(30 * SECOND_MS);
  await w.call();
  expect(w.tried.slice(4)).toEqual(["http"]);
});

test("only the peer's own answer is a sign of life; what a relay took is none", async () => {
  const http = { outcome: failed(false) };
  const w = world(http, { outcome: { kind: "unconfirmed", way: "anchor" } });
  await w.call();
  expect(w.connectivity.of(PEER.agentId)).toMatchObject({ level: "anchor-msg-relay", heardAtMs: undefined });
  http.outcome = OK;
  await w.clock.advance(30 * SECOND_MS);
  await w.call();
  expect(w.connectivity.of(PEER.agentId)).toMatchObject({ level: "direct", heardAtMs: w.clock.now() });
});

test("a request that went another way beside an open channel does not change how the peer is shown", async () => {
  const w = world({ outcome: OK }, { outcome: OK });
  w.connectivity.reached(PEER.agentId, "webrtc", "peer-relay");
  await w.call();
  expect(w.connectivity.of(PEER.agentId)).toMatchObject({ way: "webrtc", level: "peer-relay" });
  w.connectivity.lost(PEER.agentId, "webrtc");
  await w.call();
  expect(w.connectivity.of(PEER.agentId)).toMatchObject({ way: "http", level: "direct" });
});
