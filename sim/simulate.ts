import { MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import { type Account, createAccount } from "./account.ts";
import { type Agent, createAgent } from "./agent.ts";
import { startHostile } from "./hostile.ts";
import { checkAll } from "./invariants.ts";
import type { Plan } from "./plan.ts";
import { probe } from "./probes.ts";
import { buildSite, type Connected, within } from "./site.ts";
import { type Site, weather } from "./weather.ts";
import { createWorld, type World } from "./world.ts";

/** What became of a run. */
export interface Outcome {
  /** The same for a plan on every run and machine. */
  readonly hash: string;
  /** What was not as it must be; empty when all was well. */
  readonly problems: readonly string[];
  readonly messages: number;
  readonly answers: number;
  readonly commits: number;
  readonly traceLines: number;
  readonly virtualMs: number;
}

export interface SimulateOptions {
  readonly showTrace?: (line: string) => void;
}

/** Once the network allows, every connection must carry messages again within this. */
const HEALING_MS = 3 * MINUTE_MS;
/** The longest fault may begin with the last minute. */
const AFTERMATH_MS = 4 * MINUTE_MS;
const AGENTS_END_MS = 5 * MINUTE_MS;

/** Runs a plan from its first node's start to its last check. Never rejects: what throws is a problem. */
export async function simulate(plan: Plan, options: SimulateOptions = {}): Promise<Outcome> {
  const world = createWorld({ seed: plan.seed, showTrace: options.showTrace });
  const account = createAccount();
  const strayed = (error: unknown) => account.problem(`nobody caught: ${stackOf(error)}`);
  process.on("unhandledRejection", strayed);
  let site: (Site & Connected) | undefined;
  try {
    site = await buildSite(world, plan, account);
    await run(world, plan, site, account);
  } catch (error) {
    account.problem(`the run broke off: ${stackOf(error)}`);
  } finally {
    await end(world, site);
    process.off("unhandledRejection", strayed);
  }
  const { trace, clock } = world;
  return {
    hash: trace.hash(),
    problems: account.problems,
    messages: account.messages.length,
    answers: account.answers.length,
    commits: (site?.machines ?? []).reduce((sum, { disk }) => sum + disk.commits, 0),
    traceLines: trace.length,
    virtualMs: clock.monotonic(),
  };
}

async function run(world: World, plan: Plan, site: Site & Connected, account: Account): Promise<void> {
  const agents = site.machines.map((machine) => createAgent(world, machine, account));
  const hostile = plan.hostile
    ? await within(world, startHostile(world, site, account), MINUTE_MS)
    : undefined;
  const working = Promise.all(agents.map((agent) => agent.work()));
  const storm = weather(world, plan, site);
  await world.clock.advance(plan.minutes * MINUTE_MS);
  for (const agent of agents) agent.stop();
  hostile?.stop();
  await within(world, storm, AFTERMATH_MS);
  world.trace.note("calm");
  await within(world, working, AGENTS_END_MS);
  await world.clock.advance(HEALING_MS);
  await probe(world, site, agents, account);
  await readAll(world, agents);
  await within(world, checkAll(world, site, account, hostile?.id), MINUTE_MS);
}

/** Every agent looks at what came. */
async function readAll(world: World, agents: readonly Agent[]): Promise<void> {
  await within(world, Promise.all(agents.map((agent) => agent.readInbox())), AGENTS_END_MS);
  await world.clock.advance(30 * SECOND_MS);
}

async function end(world: World, site: Site | undefined): Promise<void> {
  for (const machine of site?.machines ?? []) {
    machine.kill();
    await machine.disk.close();
  }
  await world.clock.settle();
}

const stackOf = (error: unknown) => (error instanceof Error && error.stack) || reasonOf(error);
