// What suites over whole networks do with two connected agents.
import assert from "node:assert/strict";
import { type Agent, stdioAgent } from "./agents.ts";
import { until } from "./checks.ts";
import type { Machine } from "./netns.ts";
import type { NodeProcess, World } from "./world.ts";

/** An agent that its node's MCP serves, and its id. */
export interface Peer {
  readonly name: string;
  readonly id: string;
  readonly agent: Agent;
  readonly node: NodeProcess;
}

/** Each machine is alone with its ports. */
export const PORT = 8100;

/** Discovery at that port, and nobody outside the local network asked for anything. */
export const ALONE = {
  DARKMATTER_DISCOVERY: "true",
  DARKMATTER_DISCOVERY_PORTS: `${PORT}`,
  DARKMATTER_STUN: "none",
  DARKMATTER_IP_SERVICE: "none",
  DARKMATTER_PORT_MAPPING: "false",
};

/** A node started in a machine, open to its network, and an agent at it. */
export async function startPeer(
  world: World,
  machine: Machine,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<Peer> {
  const home = { ...world.home(name, PORT, env), enter: machine.enter };
  const node = await world.up(home, "--lan");
  return { name, id: node.agentId, node, agent: await stdioAgent(world, home, "2.x auto") };
}

/** Ends a node; its agent first, or that would become the node. */
export async function stopPeer({ agent, node }: Peer): Promise<void> {
  await agent.close();
  await node.stop();
}

/** How one reaches the other at present, as list_connections says it. */
export interface Level {
  readonly transport: "http" | "webrtc" | "anchor";
  readonly method: string;
  readonly level: number;
}

export async function levelOf({ agent }: Peer, { id }: Peer): Promise<Level | undefined> {
  const { connections } = await agent.ask("list_connections");
  const found = connections.find((one: { agent_id: string }) => one.agent_id === id);
  if (!found) return undefined;
  const { transport, connectivity_method: method, connectivity_level: level } = found;
  return { transport, method, level };
}

/** Waits until both reach each other in one way. */
export async function reachLevel(one: Peer, other: Peer, wanted: Level, timeoutMs: number): Promise<void> {
  const seen = new Set<string>();
  const by = async (from: Peer, to: Peer) => {
    const found = JSON.stringify(await levelOf(from, to));
    seen.add(`${from.name}: ${found}`);
    return found === JSON.stringify(wanted);
  };
  const both = async () => (await by(one, other)) && (await by(other, one));
  await until(`${one.name} and ${other.name} by ${wanted.method}`, both, timeoutMs).catch((error: Error) => {
    throw new Error(`${error.message} (${[...seen].join(", ")})`);
  });
}

/** A message, its reply, and the sender's wait for it. */
export async function talk(from: Peer, to: Peer, timeoutMs: number): Promise<void> {
  const content = `${from.name} to ${to.name}, ${Math.random()}`;
  const { message_id: id } = await from.agent.ask("send_message", { content, target_agent_id: to.id });
  const waiting = from.agent.ask(
    "wait_for_response",
    { message_id: id, timeout_seconds: Math.ceil(timeoutMs / 1000) },
    { timeoutMs: timeoutMs + 5000 },
  );
  await until(
    `${to.name} has it`,
    async () => {
      const { messages } = await to.agent.ask("list_inbox");
      return messages.find((one: { message_id: string }) => one.message_id === id);
    },
    timeoutMs,
  );
  const whole = await to.agent.ask("get_message", { message_id: id });
  assert.equal(whole.content, content);
  assert.equal(whole.verified, true);
  await to.agent.ask("send_message", { reply_to: id, content: `${content}: heard` });
  const { responses } = await waiting;
  assert.equal(responses[0]?.response, `${content}: heard`);
  assert.equal(responses[0]?.agent_id, to.id);
}

/** Connects, whichever way the other takes it. */
export async function befriend(from: Peer, to: Peer, url: string): Promise<void> {
  const asked = await from.agent.ask("connection", { action: "request", target_url: url });
  if (asked.status === "connected") return;
  const pending = await until(`${to.name} hears of the request`, async () => {
    const { requests } = await to.agent.ask("list_pending_requests");
    return requests.find((one: { from_agent_id: string }) => one.from_agent_id === from.id);
  });
  await to.agent.ask("connection", { action: "accept", request_id: pending.request_id });
  await until(`${from.name} is connected to ${to.name}`, () => levelOf(from, to));
}
