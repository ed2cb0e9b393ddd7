import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

test("witnesses are connected agents that keep a ledger, best impression first; peers are all", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const connect = async (at: number, features: string[], score?: number) => {
    const url = `http://127.0.0.1:${9000 + at}`;
    const peer = stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at });
    await peer.post(ana, "connection_request", peer.request({ from_agent_url: `${url}/mcp`, features }));
    if (score !== undefined) await ana.tool("set_impression", { agent_id: peer.id, score });
    return { agentId: peer.id, url, name: "stranger", namesLog: features.includes("lognames/1") };
  };
  const unknown = await connect(0, ["journal/1"]);
  const disliked = await connect(1, ["journal/1"], -0.5);
  const old = await connect(2, [], 1);
  const liked = await connect(3, ["receipts/1", "journal/1", "lognames/1"], 0.5);
  expect(await ana.mesh.witnesses()).toEqual([liked, unknown, disliked]);
  expect(await ana.mesh.peersAll()).toEqual([unknown, disliked, old, liked]);
  await ana.tool("connection", { action: "disconnect", agent_id: liked.agentId });
  expect(await ana.mesh.witnesses()).toEqual([unknown, disliked]);
});
