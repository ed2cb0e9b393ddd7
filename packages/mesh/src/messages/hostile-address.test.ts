import { type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";

const NEW = ["digest/1", "receipts/1", "journal/1", "ids25h/1"];

/** Ana knows bo at an address that somebody else holds by now, who answers whatever it likes. */
async function stolen() {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart: true });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const thief = stranger(net.clock, net.hosts.ana, { port: 9500, seed: 66 });
  const moveTo = (url: string) => ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = ?", url));
  await moveTo(thief.url);
  const wait = async (ms: number) => {
    for (let left = ms; left > 0; left -= SECOND_MS) {
      await net.clock.advance(Math.min(left, SECOND_MS));
      await ana.job("outbox.retry");
      await net.settle();
    }
  };
  const tried = () => thief.heardAt("/message").length;
  return { net, ana, bo, thief, moveTo, wait, tried };
}
const contentsOf = async (node: TestNode) =>
  ((await node.tool("list_inbox")).messages as JsonObject[]).map(({ content }) => content);

test("who holds a peer's address cannot end a message by claiming that it was there before", async () => {
  const { net, ana, bo, thief, moveTo, wait, tried } = await stolen();
  await using _ = net;
  thief.answers(({ path }) =>
    path.endsWith("/message") ? [tried() > 1 ? 409 : 200, { success: true }] : undefined,
  );
  await ana.tool("send_message", { content: "for bo", target_agent_id: bo.id });
  await wait(30 * SECOND_MS);
  expect(tried()).toBeGreaterThan(1);
  await moveTo(bo.url);
  await wait(2 * MINUTE_MS);
  expect(await contentsOf(bo)).toEqual(["for bo"]);
});

test("who holds a peer's address cannot take what is passed on to that peer", async () => {
  const { net, ana, bo, thief, moveTo, wait } = await stolen();
  await using _ = net;
  const cy = stranger(net.clock, net.hosts.ana, { port: 9600, seed: 77 });
  await cy.post(ana, "connection_request", cy.request({ features: NEW }));
  const message = cy.message({ metadata: { receipts: 1, origin_agent_id: cy.id } });
  await cy.post(ana, "message", message);
  thief.answers(({ path }) => (path.endsWith("/message") ? [200, { success: true }] : undefined));
  await ana.tool("send_message", { message_id: String(message.message_id), target_agent_id: bo.id });
  await moveTo(bo.url);
  await wait(2 * MINUTE_MS);
  expect(await contentsOf(bo)).toEqual(["hello"]);
});

test.each([400, 403, 404, 405])("what no node answers is not the peer's refusal: %i", async (status) => {
  const { net, ana, bo, thief, moveTo, wait } = await stolen();
  await using _ = net;
  thief.answers(() => [status]);
  await ana.tool("send_message", { content: "for bo", target_agent_id: bo.id });
  await moveTo(bo.url);
  await wait(2 * MINUTE_MS);
  expect(await contentsOf(bo)).toEqual(["for bo"]);
});

test("another agent at a peer's address is asked no more often than nobody there", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await using _ = net;
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET url = ?", cy.url));
  await ana.tool("send_message", { content: "for bo", target_agent_id: bo.id });
  for (let at = 0; at < 12; at++) {
    await net.clock.advance(SECOND_MS);
    await ana.job("outbox.retry");
    await net.settle();
  }
  const rows = await ana.db.all("SELECT attempts FROM mesh_outbox");
  expect(rows).toEqual([{ attempts: 2 }]);
});
