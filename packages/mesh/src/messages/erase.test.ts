import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing.ts";

const SECRET = "the cake is in the cellar";
const ANSWER = "under the stairs, indeed";

/** Everything a node's database holds, as one text. */
async function contentsOf({ db }: TestNode): Promise<string> {
  const tables = await db.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'journal'",
  );
  const rows = await Promise.all(tables.map(({ name }) => db.all(`SELECT * FROM "${name}"`)));
  return JSON.stringify(rows);
}

async function talked() {
  const net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  await net.connect("ana", "bo");
  await net.connect("bo", "cy");
  const { ana, bo, cy } = net.nodes;
  const given = { content: SECRET, target_agent_id: bo.id, metadata: { where: "in the cellar" } };
  const id = String((await ana.tool("send_message", given)).message_id);
  await bo.tool("send_message", { message_id: id, target_agent_id: cy.id, note: "about the cellar" });
  await cy.tool("respond_message", { message_id: id, response: ANSWER });
  await ana.tool("send_message", { content: "something else", target_agent_id: bo.id });
  await net.settle();
  return { net, ana, bo, cy, id };
}

const eraseIn = (node: TestNode, id: string) => node.db.write((tx) => node.mesh.erase(tx, id));

test("erasing a message leaves none of its words with who wrote, passed on or answered it", async () => {
  const { net, ana, bo, cy, id } = await talked();
  await using _ = net;
  for (const node of [ana, bo, cy]) {
    expect(await contentsOf(node)).toContain("cellar");
    expect(await eraseIn(node, id)).toBeGreaterThan(0);
    const left = await contentsOf(node);
    for (const words of ["cellar", "stairs"]) expect(left).not.toContain(words);
    expect(await eraseIn(node, id)).toBe(0);
  }
});

test("that there was something stays: the message, its answers and its ladder are shown without words", async () => {
  const { net, ana, cy, id } = await talked();
  await using _ = net;
  await eraseIn(ana, id);
  expect(await ana.tool("get_sent_message", { message_id: id })).toMatchObject({
    content: "[erased]",
    metadata: {},
    status: "responded",
    state: "acted on by 2 of 2",
    responses: [{ agent_id: cy.id, response: "[erased]" }],
  });
  expect(await contentsOf(ana)).toContain("something else");
});

test("a message that waits leaves the inbox, and does not come back", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"], config: { rateGlobal: -1 } });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const send = () => ana.tool("send_message", { content: SECRET, target_agent_id: bo.id }, { callId: "c1" });
  using lost = net.internet.lose("answer");
  const id = String((await send()).message_id);
  lost[Symbol.dispose]();
  expect(await eraseIn(bo, id)).toBeGreaterThan(0);
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  await send();
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  expect(await contentsOf(bo)).not.toContain(SECRET);
});

test("a message erased before it arrived stays here", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const send = () => ana.tool("send_message", { content: SECRET, target_agent_id: bo.id }, { callId: "c1" });
  using lost = net.internet.lose("request");
  const id = String((await send()).message_id);
  lost[Symbol.dispose]();
  await eraseIn(ana, id);
  await send();
  expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
});
