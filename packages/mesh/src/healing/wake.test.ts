import { type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { createSleepWatch } from "./wake.ts";

test("ticks that come in time are no sleep; a gap in either clock is one, once", () => {
  let wallMs = 0;
  let monotonicMs = 0;
  const clock = { ...virtualClock(), now: () => wallMs, monotonic: () => monotonicMs };
  const hasSlept = createSleepWatch({ clock });
  const pass = (wall: number, monotonic: number) => {
    wallMs += wall;
    monotonicMs += monotonic;
    return hasSlept();
  };
  expect(pass(SECOND_MS, SECOND_MS)).toBe(false);
  // Stopped: both clocks went on. Suspended: the wall clock alone did.
  expect(pass(MINUTE_MS, MINUTE_MS)).toBe(true);
  expect(pass(SECOND_MS, SECOND_MS)).toBe(false);
  expect(pass(MINUTE_MS, SECOND_MS)).toBe(true);
  // Set back, and a late tick.
  expect(pass(-MINUTE_MS, SECOND_MS)).toBe(false);
  expect(pass(4 * SECOND_MS, 4 * SECOND_MS)).toBe(false);
});

test("a node that slept says where it is at once, over new connections", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  let renewed = 0;
  net.hosts.ana.wire.renew = () => void renewed++;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  await ana.job("healing.watch");
  await net.clock.advance(SECOND_MS);
  await ana.job("healing.watch");
  await net.settle();
  expect(bo.heardAt("/peer_update")).toHaveLength(0);
  await net.clock.advance(MINUTE_MS);
  await ana.job("healing.watch");
  await net.settle();
  expect(bo.heardAt("/peer_update")).toMatchObject([{ new_url: ana.url }]);
  expect(renewed).toBe(1);
});

test("a node that starts says where it is, and says nothing while nothing changes", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  for (let times = 0; times < 3; times++) await ana.job("addresses.look");
  await net.settle();
  expect(bo.heardAt("/peer_update")).toHaveLength(1);
});

test("peers elsewhere are told once our public address is known, and nothing before", async () => {
  const service = "http://5.6.7.60/";
  await using net = await memoryNetwork({ nodes: ["ana"], apart: true, config: { ipService: service } });
  const { ana } = net.nodes;
  net.internet.host({ address: "5.6.7.60" }).listen(80, async () => ({
    status: 200,
    headers: {},
    body: JSON.stringify({ ip: "5.6.7.8" }),
  }));
  const near = stranger(net.clock, net.internet.host({ address: "192.168.7.50" }), {
    url: "http://192.168.7.50:9000",
  });
  const far = stranger(net.clock, net.internet.host({ address: "5.6.7.50" }), {
    url: "http://5.6.7.50:9000",
    seed: 201,
  });
  await near.post(ana, "connection_request", near.request(), "192.168.7.50");
  await far.post(ana, "connection_request", far.request(), "5.6.7.50");
  const { requests } = await ana.tool("list_pending_requests");
  for (const { request_id } of requests as JsonObject[])
    await ana.tool("connection", { action: "accept", request_id });
  await net.settle();
  await ana.job("addresses.look");
  await net.settle();
  const urls = (one: typeof near) => one.heardAt("/peer_update").map(({ new_url: url }) => url);
  expect([urls(near), urls(far)]).toEqual([["http://192.168.7.10:8100"], ["http://5.6.7.8:8100"]]);
});
