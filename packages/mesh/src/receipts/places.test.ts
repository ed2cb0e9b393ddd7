import { RUNGS } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { RECEIPTS_MAX } from "./receipt.ts";

const ALL = ["digest/1", "receipts/1", "journal/1"];
const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, maxConnections: 100 };

/** Ana's message to as many peers, who are driven by hand. */
async function sentTo(count: number) {
  const net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS });
  const { ana } = net.nodes;
  const agentAt = (at: number) => stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: at });
  const peers = Array.from({ length: count }, (_, at) => agentAt(at + 1));
  for (const peer of peers) await peer.post(ana, "connection_request", peer.request({ features: ALL }));
  const sent = await ana.tool("send_message", { content: "who comes?" });
  const path = `webhook/${sent.message_id}`;
  const message = peers[0]?.heardAt("/message")[0] ?? {};
  return { net, ana, peers, agentAt, path, message };
}

test("each of many targets has a place for each of its receipts", async () => {
  const { net, ana, peers, path, message } = await sentTo(30);
  await using _ = net;
  for (const rung of ["stored", "read", "acted"]) {
    for (const peer of peers) {
      const body = { type: "receipt", agent_id: peer.id, receipt: peer.receipt(message, { rung }) };
      expect((await peer.post(ana, path, body)).status).toBe(200);
    }
  }
  expect(await ana.tool("list_messages")).toMatchObject({ messages: [{ state: "acted on by 30 of 30" }] });
});

test("agents of a target's own making take no place from the others", async () => {
  const { net, ana, peers, agentAt, path, message } = await sentTo(2);
  await using _ = net;
  const [bo, mallory] = peers as [(typeof peers)[0], (typeof peers)[0]];
  const statuses: number[] = [];
  for (let at = 0; at < 8; at++) {
    const puppet = agentAt(50 + at);
    await mallory.post(ana, path, { type: "forwarded", agent_id: mallory.id, target_agent_id: puppet.id });
    for (const rung of RUNGS) {
      const receipt = puppet.receipt(message, { rung, from_agent_id: mallory.id });
      const answer = await mallory.post(ana, path, { type: "receipt", agent_id: puppet.id, receipt });
      statuses.push(answer.status);
    }
  }
  expect(statuses.filter((status) => status === 200)).toHaveLength(RECEIPTS_MAX);
  expect(statuses.at(-1)).toBe(429);
  const receipt = bo.receipt(message, { rung: "read" });
  expect((await bo.post(ana, path, { type: "receipt", agent_id: bo.id, receipt })).status).toBe(200);
});
