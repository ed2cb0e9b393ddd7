import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

const ALL = ["digest/1", "receipts/1", "journal/1"];
const SECRET = "the cake is in the cellar";

/** Ana, connected with bo and cy, who are driven by hand. */
async function nodeAndTwo() {
  const net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const agentAt = (at: number) => stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at });
  const [bo, cy] = [agentAt(0), agentAt(1)];
  for (const agent of [bo, cy]) await agent.post(ana, "connection_request", agent.request({ features: ALL }));
  const erase = (id: unknown) => ana.db.write((tx) => ana.mesh.erase(tx, String(id)));
  return { net, ana, bo, cy, erase };
}

test("what is erased while it is passed on does not come back with the note of that", async () => {
  const { net, ana, bo, cy, erase } = await nodeAndTwo();
  await using _ = net;
  const message = bo.message({ content: SECRET });
  await bo.post(ana, "message", message);
  let erasing: Promise<number> | undefined;
  cy.answers(({ path }) => {
    if (path.endsWith("/message")) erasing = erase(message.message_id);
    return undefined;
  });
  await ana.tool("send_message", { message_id: message.message_id, target_agent_id: cy.id });
  expect(await erasing).toBeGreaterThan(0);
  await net.settle();
  expect(JSON.stringify(await ana.db.all("SELECT * FROM mesh_conversation"))).not.toContain("cellar");
});

test("a receipt for words that were erased while they were sent is not kept: it holds a hash of them", async () => {
  const { net, ana, bo, erase } = await nodeAndTwo();
  await using _ = net;
  let erasing: Promise<number> | undefined;
  bo.answers(({ path, body }) => {
    if (!path.endsWith("/message")) return undefined;
    erasing = erase(body.message_id);
    return [200, { receipt: bo.receipt(body, { rung: "stored" }) }];
  });
  const sent = await ana.tool("send_message", { content: SECRET, target_agent_id: bo.id });
  expect(await erasing).toBeGreaterThan(0);
  await net.settle();
  expect(sent).toMatchObject({ success: true, routed_to: [bo.id] });
  expect(ana.journal.events.map(({ act }) => act)).not.toContain("receipt.taken");
  expect(await ana.db.all("SELECT * FROM mesh_receipts")).toEqual([]);
});

test("what the givers of receipts added in words of their own is erased with the message", async () => {
  const { net, ana, bo, erase } = await nodeAndTwo();
  await using _ = net;
  const detail = `busy with: ${SECRET}`;
  bo.answers(({ path, body }) =>
    path.endsWith("/message") ? [200, { receipt: bo.receipt(body, { rung: "stored", detail }) }] : undefined,
  );
  const sent = await ana.tool("send_message", { content: SECRET, target_agent_id: bo.id });
  const kept = () => ana.db.all("SELECT rung, detail FROM mesh_receipts");
  expect(await kept()).toEqual([{ rung: "stored", detail }]);
  await erase(sent.message_id);
  expect(await kept()).toEqual([{ rung: "stored", detail: null }]);
  expect(await erase(sent.message_id)).toBe(0);
});
