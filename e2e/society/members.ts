import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Agent, httpAgent } from "../agents.ts";
import { freePorts, type Home, type NodeProcess, type World } from "../world.ts";

/** Each member's client, and the name its program goes by. */
export const CLIENTS = {
  ana: ["claude-code", "claude"],
  bo: ["cursor", "cursor-agent"],
  cy: ["gemini", "gemini"],
  di: ["codex", "codex"],
  eve: ["kimi", "kimi"],
  fay: ["opencode", "opencode"],
  gus: ["openclaw", "openclaw"],
} as const;
export type Name = keyof typeof CLIENTS;
export const ALL = Object.keys(CLIENTS) as Name[];
/** Who takes part where time is short: as few as the day needs. */
export const FEW: readonly Name[] = ["ana", "bo", "cy", "di"];

/** One node of the society, the agent that uses it, and where its client's stand-in writes what it was given. */
export interface Member {
  readonly name: Name;
  readonly home: Home;
  readonly records: string;
  node: NodeProcess;
  agent: Agent;
}
/** Those who take part, in the order in which they came into the world. */
export type Members = readonly Member[];

export function member(members: Members, name: Name): Member {
  const found = members.find((one) => one.name === name);
  if (!found) throw new Error(`${name} takes no part`);
  return found;
}

const STAND_IN = resolve(import.meta.dirname, "children/stand-in.ts");

/** Nodes, each behind the stand-in of another client. */
export async function startMembers(
  world: World,
  names: readonly Name[],
  env: Readonly<Record<string, string>>,
): Promise<Members> {
  const ports = await freePorts(names.length);
  const start = async (name: Name, at: number): Promise<Member> => {
    const home = world.home(name, ports[at] ?? 0, { ...env, ...clientOf(world, name) });
    const node = await world.up(home);
    const agent = await httpAgent(node.url, "2.x modern");
    return { name, home, node, agent, records: recordsOf(world, name) };
  };
  const members: Member[] = [];
  // One after another: their ages decide who may be given a fee.
  for (const [at, name] of names.entries()) members.push(await start(name, at));
  return members;
}

const recordsOf = (world: World, name: Name) => join(world.folder, name, "records");

/** A folder with a program of the client's name in it, first on the path; what it is given it writes down. */
function clientOf(world: World, name: Name): Record<string, string> {
  const [client, program] = CLIENTS[name];
  const [bin, records] = [join(world.folder, name, "bin"), recordsOf(world, name)];
  for (const folder of [bin, records]) mkdirSync(folder, { recursive: true });
  const path = join(bin, program);
  const words = [process.execPath, STAND_IN, program].map((word) => `'${word}'`).join(" ");
  writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
  chmodSync(path, 0o755);
  return {
    DARKMATTER_CLIENT: client,
    DARKMATTER_AGENT_ENABLED: "true",
    PATH: `${bin}:${process.env.PATH ?? ""}`,
    STAND_IN_RECORDS: records,
    // What a client sets in its own terminal, and no helper of another may inherit.
    CLAUDECODE: "1",
    CLAUDE_CODE_ENTRYPOINT: "cli",
    CURSOR_AGENT: "1",
    OPENCODE: "1",
  };
}

/** Everybody asks everybody; on one machine that is accepted at once. */
export async function connectAll(members: Members): Promise<void> {
  for (const [at, { agent }] of members.entries()) {
    for (const { node } of members.slice(at + 1)) {
      await agent.ask("connection", { action: "request", target_url: node.url });
    }
  }
}

/** Scores a peer, as its agent would after good work. */
export function trust(member: Member, peer: Member, score = 0.8): Promise<unknown> {
  const note = `${peer.name} keeps its word`;
  return member.agent.ask("set_impression", { agent_id: peer.node.agentId, score, note });
}
