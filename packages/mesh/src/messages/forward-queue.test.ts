import { DAY_MS, HOUR_MS, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing.ts";

/** Ana wrote to bo, who knows cy; cy is away. */
async function chain() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"], apart: true });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = String(sent.message_id);
  const down = net.hosts.cy.down();
  const forward = await bo.tool("send_message", { message_id: id, target_agent_id: cy.id });
  const pass = async (ms: number) => {
    await net.clock.advance(ms);
    await bo.job("outbox.retry");
    await net.settle();
  };
  return { net, ana, bo, cy, id, down, forward, pass };
}

const total = async (node: TestNode) => (await node.tool("list_inbox")).total;

test("a message passed on to an agent that is away waits for it, and leaves the inbox when it is taken", async () => {
  const { net, ana, bo, cy, id, down, forward, pass } = await chain();
  await using _ = net;
  expect(forward).toMatchObject({
    success: true,
    results: [{ agent_id: cy.id, success: true, queued: true }],
  });
  expect(await total(bo)).toBe(1);
  down[Symbol.dispose]();
  await pass(10_000);
  expect([await total(bo), await total(cy)]).toEqual([0, 1]);
  const { ladder } = await ana.tool("get_sent_message", { message_id: id });
  const acted = (ladder as Array<{ agent_id: string; rungs: JsonObject[] }>)
    .find(({ agent_id }) => agent_id === bo.id)
    ?.rungs.find(({ rung }) => rung === "acted");
  expect(acted).toMatchObject({ detail: "forwarded", signed: true });
});

test("what is still to be passed on is kept beyond its hour; given up after a day, with a note", async () => {
  const { net, bo, cy, down, pass } = await chain();
  await using _ = net;
  await net.clock.advance(2 * HOUR_MS);
  await bo.job("messages.purge");
  expect(await total(bo)).toBe(1);
  await net.clock.advance(DAY_MS);
  await bo.job("messages.purge");
  await bo.job("messages.purge");
  const { notes_of_this_node: notes, total: left } = await bo.tool("list_inbox");
  expect(left).toBe(0);
  expect(notes).toMatchObject([{ agent_id: cy.id, note: expect.stringContaining("passed on") }]);
  down[Symbol.dispose]();
  await pass(20 * MINUTE_MS);
  expect(await total(cy)).toBe(0);
});

test("words that are erased while they wait to be passed on do not go out", async () => {
  const { net, bo, cy, id, down, pass } = await chain();
  await using _ = net;
  await bo.db.write((tx) => bo.mesh.erase(tx, id));
  expect(JSON.stringify(await bo.db.all("SELECT * FROM mesh_outbox"))).not.toContain('"content"');
  down[Symbol.dispose]();
  await pass(MINUTE_MS);
  expect(await total(cy)).toBe(0);
});
