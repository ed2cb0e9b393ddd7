import assert from "node:assert/strict";
import { httpAgent } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import { freePorts } from "../world.ts";
import type { Three } from "./three.ts";

/** A fourth node with room for one connection: a request that finds no room waits for its agent's decision. */
export async function checkQueue({ check }: Checks, three: Three): Promise<void> {
  const { world, ana, bo, cy, ids } = three;
  const [port = 0] = await freePorts(1);
  const home = world.home("dee", port, { DARKMATTER_MAX_CONNECTIONS: "1" });
  const node = await world.up(home);
  const dee = await httpAgent(node.url, "1.x");
  const request = { action: "request", target_url: node.url };
  const isConnected = async (agentId: string) =>
    (await dee.ask("list_connections")).connections.some(
      (peer: { agent_id: string }) => peer.agent_id === agentId,
    );
  const pending = async () => (await dee.ask("list_pending_requests")).requests;

  await check("mcp: a request that must wait: key proven, peers asked about the stranger", async () => {
    await ana.ask("set_impression", { agent_id: ids.cy, score: 0.4, note: "answers fast" });
    assert.equal((await ana.ask("connection", request)).status, "connected");
    const asked = await cy.ask("connection", request);
    assert.equal(asked.status, "pending");
    const seen = await until("dee knows all about it", async () => {
      const [one] = await pending();
      return one?.crypto && one.peer_trust ? one : undefined;
    });
    assert.equal(seen.request_id, asked.request_id);
    assert.equal(seen.from_agent_id, ids.cy);
    assert.deepEqual(
      [
        seen.peer_trust.peers_queried,
        seen.peer_trust.avg_score,
        seen.peer_trust.most_trusted_recommender.agent_id,
      ],
      [1, 0.4, ids.ana],
    );
    assert.match((await dee.call("status")).text, new RegExp(asked.request_id));
  });

  await check("mcp: a disconnect is told to the other side, and believed", async () => {
    await dee.ask("connection", { action: "disconnect", agent_id: ids.ana });
    await until("ana drops the connection, too", async () => {
      const { connections } = await ana.ask("list_connections");
      return !connections.some((peer: { agent_id: string }) => peer.agent_id === node.agentId);
    });
  });

  await check("mcp: accept, by the tool: both sides are connected and talk", async () => {
    const [one] = await pending();
    assert.equal(
      (await dee.ask("connection", { action: "accept", request_id: one.request_id })).agent_id,
      ids.cy,
    );
    await until("cy hears of it", async () => {
      const { connections } = await cy.ask("list_connections");
      return connections.some((peer: { agent_id: string }) => peer.agent_id === node.agentId);
    });
    const sent = await cy.ask("send_message", { content: "at last", target_agent_id: node.agentId });
    assert.deepEqual(sent.routed_to, [node.agentId]);
    const twice = await dee.call("connection", { action: "accept", request_id: one.request_id });
    assert.ok(twice.isError, "a request is accepted once");
  });

  await check("mcp: reject leaves nothing behind", async () => {
    const { request_id } = await ana.ask("connection", request);
    assert.equal((await dee.ask("connection", { action: "reject", request_id })).accepted, false);
    assert.deepEqual(await pending(), []);
    assert.equal(await isConnected(ids.ana), false);
  });

  await check("mcp: accept, by the command line", async () => {
    const { request_id } = await bo.ask("connection", request);
    await dee.ask("connection", { action: "disconnect", agent_id: ids.cy });
    const accepted = await world.command(home, "accept", request_id);
    assert.deepEqual([accepted.code, accepted.json?.agent_id], [0, ids.bo], accepted.stderr);
    const peers = await world.command(home, "peers");
    assert.deepEqual(
      peers.json.connections.map((peer: { agent_id: string }) => peer.agent_id),
      [ids.bo],
    );
    assert.equal((await world.command(home, "accept", "req-00000000")).code, 1);
  });

  await check("mcp: the other commands beside a running node", async () => {
    const sent = await world.command(home, "send", "bo", "by", "hand");
    assert.equal(sent.code, 0, sent.stderr);
    const { messages } = await bo.ask("list_inbox");
    const got = messages.find((one: { message_id: string }) => one.message_id === sent.json.message_id);
    assert.equal(got?.content, "by hand");
    const status = await world.command(home, "status");
    assert.deepEqual([status.json.running, status.json.pid, status.json.url], [true, node.pid, node.url]);
  });

  await check("mcp: Ctrl-C ends a node cleanly", async () => {
    await dee.close();
    await node.stop();
    assert.equal((await world.command(home, "status")).json.running, false);
  });
}
