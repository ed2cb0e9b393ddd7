import { type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

/** A node and a connected agent that answers looks with `status`. */
async function watched(status: JsonObject | undefined) {
  const net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  bo.answers(() => (status ? [200, { agent_id: bo.id, ...status }] : [503]));
  const looks = () => bo.heard.filter(({ path }) => path.endsWith("/status")).length;
  const round = async () => {
    await net.clock.advance(MINUTE_MS);
    await ana.job("healing.health");
    await net.settle();
  };
  return { net, ana, bo, looks, round };
}

test("a peer that was heard of within five minutes is left alone", async () => {
  const { net, ana, bo, looks, round } = await watched({});
  await using _net = net;
  await round();
  expect(looks()).toBe(1);
  for (let minute = 0; minute < 4; minute++) await round();
  expect(looks()).toBe(1);
  await round();
  expect(looks()).toBe(2);
  bo.answers(() => undefined);
  await ana.tool("send_message", { content: "hello", target_agent_id: bo.id });
  await round();
  expect(looks()).toBe(2);
});

test("a silent peer is said to be silent once, looked for at every third failure, rarely after nine, and kept", async () => {
  const { net, ana, looks, round } = await watched(undefined);
  await using _net = net;
  const friend = stranger(net.clock, net.hosts.ana, { port: 9100, seed: 101 });
  await friend.post(ana, "connection_request", friend.request());
  const asked = () => friend.heard.filter(({ path }) => path.includes("/peer_lookup/")).length;
  const seen: Array<[number, number]> = [];
  for (let minute = 1; minute <= 40; minute++) {
    const [looksBefore, askedBefore] = [looks(), asked()];
    await round();
    friend.answers(({ path }) => (path.endsWith("/status") ? [200, { agent_id: friend.id }] : [404]));
    if (looks() > looksBefore) seen.push([minute, asked() - askedBefore]);
  }
  expect(seen.map(([minute]) => minute)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40]);
  expect(seen.filter(([, times]) => times > 0).map(([minute]) => minute)).toEqual([3, 6, 9, 10, 20, 30, 40]);
  expect(ana.reports.filter((line) => line.startsWith("peer.silent"))).toHaveLength(1);
  expect((await ana.tool("list_connections")).total).toBe(2);
});

test("only the peer's own answer counts: another agent in its place is a failure", async () => {
  const { net, ana, round } = await watched({ agent_id: "ab".repeat(32) });
  await using _net = net;
  for (let minute = 0; minute < 3; minute++) await round();
  expect(ana.reports.filter((line) => line.startsWith("peer.silent"))).toHaveLength(1);
});

test("looks are counted against no limit", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    config: { rateGlobal: 1, ratePerConnection: 1 },
  });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  for (let minute = 0; minute < 20; minute++) {
    await net.clock.advance(10 * MINUTE_MS);
    await ana.job("healing.health");
  }
  const sent = await ana.tool("send_message", { content: "still welcome", target_agent_id: bo.id });
  expect(sent.routed_to).toEqual([bo.id]);
});
