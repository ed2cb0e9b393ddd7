import { expect, test } from "vitest";
import { memoryNetwork } from "../testing/memory-network.ts";

test("a node says which peers answer, and what waits for those that do not", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  await cy[Symbol.asyncDispose]();
  await ana.tool("send_message", { content: "later", target_agent_id: cy.id });

  const said = await ana.tool("diagnose");
  expect(said).toMatchObject({
    running: true,
    url: ana.url,
    public_url: null,
    discovery: { enabled: true, multicast: false },
    anchors: [],
    connections: 2,
    queue: { waiting: 1, oldest_at: expect.any(String) },
  });
  expect(said.peers).toMatchObject([
    { agent_id: bo.id, http: { ok: true }, channel: null },
    { agent_id: cy.id, http: { ok: false, error: expect.any(String) } },
  ]);
});

test("an anchor that does not answer, and a public address where another agent answers, are told apart", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  ana.configure({ anchors: [bo.url, "http://192.168.7.1:9"], publicUrl: bo.url });
  expect(await ana.tool("diagnose")).toMatchObject({
    anchors: [
      { url: bo.url, ok: false, error: "no anchor answers there" },
      { ok: false, error: expect.any(String) },
    ],
    public_url: { url: bo.url, ok: false, error: "another agent answers there" },
  });
});

test("no agent is shown the tool by which the doctor asks", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  expect(JSON.stringify(await net.nodes.ana.tools.list())).not.toContain("diagnose");
});
