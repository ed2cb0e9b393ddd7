import assert from "node:assert/strict";
import { type Agent, httpAgent, stdioAgent } from "../agents.ts";
import { createWorld, freePorts, type Home, type NodeProcess, type World } from "../world.ts";

/** Three nodes on this machine that see each other and nobody else, and who drives them. */
export interface Three extends AsyncDisposable {
  readonly world: World;
  readonly homes: Readonly<Record<"ana" | "bo" | "cy", Home>>;
  /** The older client over stdio: the process it starts owns the state. */
  readonly ana: Agent;
  /** The newer client over HTTP, in the era without sessions. */
  readonly bo: Agent;
  /** The same node, the newer client in the era with sessions. */
  readonly boLegacy: Agent;
  /** The newer client over stdio, finding out the era by itself. */
  readonly cy: Agent;
  readonly boNode: NodeProcess;
  readonly ids: Readonly<Record<"ana" | "bo" | "cy", string>>;
  readonly urls: Readonly<Record<"ana" | "bo" | "cy", string>>;
}

export async function startThree(): Promise<Three> {
  const world = createWorld();
  try {
    const [a = 0, b = 0, c = 0] = await freePorts(3);
    const discovery = { DARKMATTER_DISCOVERY: "true", DARKMATTER_DISCOVERY_PORTS: `${a},${b},${c}` };
    const homes = {
      ana: world.home("ana", a, discovery),
      bo: world.home("bo", b, discovery),
      cy: world.home("cy", c, discovery),
    };
    const [boNode, ana, cy] = await Promise.all([
      world.up(homes.bo),
      stdioAgent(world, homes.ana, "1.x"),
      stdioAgent(world, homes.cy, "2.x auto"),
    ]);
    const bo = await httpAgent(boNode.url, "2.x modern");
    const boLegacy = await httpAgent(boNode.url, "2.x legacy");
    const [anaId, cyId] = await Promise.all([idOf(ana, a), idOf(cy, c)]);
    await idOf(bo, b);
    return {
      world,
      homes,
      ana,
      bo,
      boLegacy,
      cy,
      boNode,
      ids: { ana: anaId, bo: boNode.agentId, cy: cyId },
      urls: { ana: urlOf(a), bo: urlOf(b), cy: urlOf(c) },
      async [Symbol.asyncDispose]() {
        await Promise.allSettled([ana, bo, boLegacy, cy].map((agent) => agent.close()));
        await world[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

const urlOf = (port: number) => `http://127.0.0.1:${port}`;

async function idOf(agent: Agent, port: number): Promise<string> {
  const identity = await agent.ask("get_identity");
  // Elsewhere it could meet a node that the user runs.
  assert.equal(identity.port, port, "the node listens at its own port");
  return identity.agent_id;
}
