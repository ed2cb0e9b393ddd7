import { expect, test } from "vitest";
import { createImpressions, type Rise } from "../impressions/impressions.ts";
import { memoryNetwork, TEST_CONFIG } from "../testing.ts";
import type { PeerDetails } from "./connection.ts";
import { createConnections } from "./connections.ts";

const peer = (agentId: string): PeerDetails => ({
  agentId,
  url: "http://127.0.0.1:9000",
  bio: "",
  displayName: null,
  publicKeyHex: agentId,
  wallets: {},
  createdAt: null,
  features: [],
});

test("a new connection is told after its commit: not one that is known, nor one that was undone", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  const connections = createConnections({ ...ana, clock: net.clock, config: TEST_CONFIG });
  const opened: string[] = [];
  connections.onOpened((agentId) => opened.push(agentId));
  const open = (agentId: string) =>
    ana.db.write((tx) => connections.open(tx, peer(agentId), { identityVerified: true }));
  await open(bo.id);
  await open(bo.id);
  const undone = ana.db.write(async (tx) => {
    await connections.open(tx, peer(cy.id), { identityVerified: true });
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  expect(opened).toEqual([bo.id]);
});

test("a score that rises is told with both its ends, one that falls is not", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  const impressions = createImpressions({ ...ana, clock: net.clock });
  const rises: Rise[] = [];
  impressions.onRise((rise) => rises.push(rise));
  const set = (score: number) => ana.db.write((tx) => impressions.set(tx, bo.id, score, ""));
  for (const score of [0.2, 0.5, 0.5, -0.4]) await set(score);
  await ana.db.write((tx) => impressions.nudge(tx, bo.id, 0.1));
  await ana.db.write((tx) => impressions.forget(tx, bo.id));
  expect(rises).toEqual([
    { about: bo.id, from: 0, to: 0.2 },
    { about: bo.id, from: 0.2, to: 0.5 },
    { about: bo.id, from: -0.4, to: -0.26 },
    { about: bo.id, from: -0.26, to: 0 },
  ]);
});
