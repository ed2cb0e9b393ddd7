import { DAY_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

/** Ana, whom a stranger elsewhere asked to connect. */
async function asked() {
  const net = await memoryNetwork({ nodes: ["ana"], apart: "public" });
  const { ana } = net.nodes;
  const host = net.internet.host({ address: "5.6.7.99" });
  const bo = stranger(net.clock, host, { url: "http://5.6.7.99:9000" });
  const answer = await bo.post(ana, "connection_request", bo.request(), "5.6.7.99");
  const accept = () =>
    ana.tool("connection", {
      action: "accept",
      request_id: (answer.json as { request_id: string }).request_id,
    });
  const told = () => bo.heardAt("/connection_accepted").length;
  const wait = async (ms: number) => {
    await net.clock.advance(ms);
    await ana.job("connections.announce");
    await net.settle();
  };
  return { net, ana, bo, host, accept, told, wait };
}

test("who was away when it was accepted hears it when it is back, once", async () => {
  const { net, host, accept, told, wait } = await asked();
  await using _ = net;
  const down = host.down();
  await accept();
  await net.settle();
  await wait(5 * SECOND_MS);
  expect(told()).toBe(0);
  down[Symbol.dispose]();
  await wait(10 * SECOND_MS);
  expect(told()).toBe(1);
  await wait(DAY_MS);
  expect(told()).toBe(1);
});

test("it is told at once when it is heard, and not at all when the connection is over", async () => {
  const { net, ana, bo, host, accept, told, wait } = await asked();
  await using _ = net;
  const down = host.down();
  await accept();
  await net.settle();
  down[Symbol.dispose]();
  await bo.post(ana, "message", bo.message(), "5.6.7.99");
  await net.settle();
  expect(told()).toBe(1);
  await wait(DAY_MS);
  expect(await ana.db.all("SELECT * FROM mesh_announcements")).toEqual([]);
});

test("one that is never back is given up after a day", async () => {
  const { net, ana, host, accept, wait } = await asked();
  await using _ = net;
  using _down = host.down();
  await accept();
  await net.settle();
  await wait(DAY_MS - 1);
  expect(await ana.db.all("SELECT agent_id FROM mesh_announcements")).toHaveLength(1);
  await wait(10 * 60 * SECOND_MS);
  expect(await ana.db.all("SELECT agent_id FROM mesh_announcements")).toEqual([]);
});
