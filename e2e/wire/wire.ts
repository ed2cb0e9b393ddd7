import type { Agent } from "../agents.ts";
import { httpAgent } from "../agents.ts";
import type { Checks } from "../checks.ts";
import { createWorld, freePorts, type NodeProcess } from "../world.ts";
import { checkAsking, checkBeingAsked } from "./connecting.ts";
import { type OldPeer, oldPeer } from "./old-peer.ts";
import { checkPassing } from "./passing.ts";
import { checkReceiving } from "./receiving.ts";
import { checkSending } from "./sending.ts";

/** A node of ours among nodes of the first generation. */
export interface Wire {
  readonly node: NodeProcess;
  readonly agent: Agent;
  readonly pia: OldPeer;
  readonly quinn: OldPeer;
  readonly rex: OldPeer;
}

/** Raw HTTP, byte for byte as sections 3 to 7 of the protocol say, with signatures checked both ways. */
export async function runWire(checks: Checks): Promise<void> {
  await using world = createWorld();
  await using pia = await oldPeer({ name: "pia" });
  await using quinn = await oldPeer({ name: "quinn" });
  await using rex = await oldPeer({ name: "rex", autoAccepts: false });
  const [port = 0] = await freePorts(1);
  // Room for two: a third must ask and wait.
  const node = await world.up(world.home("wim", port, { DARKMATTER_MAX_CONNECTIONS: "2" }));
  const agent = await httpAgent(node.url, "1.x");
  const wire: Wire = { node, agent, pia, quinn, rex };
  await checkBeingAsked(checks, wire);
  await checkSending(checks, wire);
  await checkReceiving(checks, wire);
  await checkPassing(checks, wire);
  await checkAsking(checks, wire);
  await agent.close();
  await checks.check("wire: the node ends cleanly after all that", () => node.stop());
}
