import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
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
