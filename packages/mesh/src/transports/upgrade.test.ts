import { SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork } from "../testing/memory-network.ts";

test("two connected nodes open a channel, and messages travel over it, signed and answered", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true, webRtc: true });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  for (const node of [ana, bo]) await node.job("transports.upgrade");
  await net.clock.advance(6 * SECOND_MS);
  for (const node of [ana, bo]) await node.job("transports.upgrade");
  await net.settle();
  expect(await ana.tool("list_connections")).toMatchObject({
    connections: [{ transport: "webrtc", connectivity_level: 1, connectivity_method: "direct" }],
  });
  expect(await bo.tool("list_connections")).toMatchObject({
    connections: [{ transport: "webrtc", connectivity_level: 1, connectivity_method: "direct" }],
  });
  console.log(ana.reports, bo.reports);
});
