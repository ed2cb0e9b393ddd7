import { MINUTE_MS, type Random, SECOND_MS } from "@darkmatter/core";
import type { NatBox } from "@darkmatter/net/testing";
import { type Account, short } from "./account.ts";
import { rows } from "./agent.ts";
import { createMachine, type Machine } from "./machine.ts";
import { type Plan, SKEW_MAX_MS } from "./plan.ts";
import { CALM, type Site } from "./weather.ts";
import type { World } from "./world.ts";

/** Two machines, by their places, that are connected. */
export type Pair = readonly [asking: number, asked: number];

const PORT = 8100;
/** Connections of a node beyond the two in the ring. */
const CHORDS_PER_NODE = 1;
/** One in so many of every second machine stands behind a router. */
const BEHIND_ONE_IN = 2;

/** The machines of a plan, started and connected. Nothing goes wrong yet. */
export async function buildSite(world: World, plan: Plan, account: Account): Promise<Site & Connected> {
  world.internet.latency(CALM.minMs, CALM.maxMs, CALM.tail);
  const random = world.random("site");
  const routers = new Map<string, NatBox>();
  const machines: Machine[] = [];
  for (let at = 0; at < plan.nodes; at++) {
    // Never two in a row of the ring: somebody in the open has to be asked first.
    const behind = plan.routers && at % 2 === 1 && random.integer(BEHIND_ONE_IN) === 0;
    // Nobody without them reaches who is behind a router that maps nothing: there is no anchor.
    const channels = plan.routers || random.integer(2) === 0;
    machines.push(await addMachine(world, at, { behind, channels }, random, account, routers));
  }
  const site = { machines, routers, moved: new Set<Machine>() };
  await within(world, Promise.all(machines.map((machine) => machine.start())), MINUTE_MS);
  const isBehind = (at: number) => routers.has(machines[at]?.name ?? "");
  const pairs = pairsOf(plan, random)
    .filter(([one, other]) => !isBehind(one) || !isBehind(other))
    .map(([one, other]) => (isBehind(other) ? ([other, one] as const) : ([one, other] as const)));
  for (const [one, other] of pairs) {
    const [asking, asked] = [machines[one] as Machine, machines[other] as Machine];
    await within(world, connect(world, asking, asked), MINUTE_MS);
  }
  return { ...site, pairs };
}

export interface Connected {
  /** Who behind a router is always the one that asks. */
  readonly pairs: readonly Pair[];
}

async function addMachine(
  world: World,
  at: number,
  { behind, channels }: { readonly behind: boolean; readonly channels: boolean },
  random: Random,
  account: Account,
  routers: Map<string, NatBox>,
): Promise<Machine> {
  const name = `n${at}`;
  const network = behind ? name : "open";
  const skewMs = random.integer(2 * SKEW_MAX_MS + 1) - SKEW_MAX_MS;
  const common = { name, network, port: PORT + at, skewMs, channels, unforeseen: account.problem };
  if (!behind) {
    const host = world.internet.host({ address: `5.6.${at >> 8}.${10 + (at & 127)}` });
    return createMachine(world, { ...common, host });
  }
  const router = world.internet.nat({ address: `7.6.${at >> 8}.${10 + (at & 127)}` });
  routers.set(name, router);
  const host = router.host({ address: "192.168.7.10" });
  return createMachine(world, { ...common, host, config: { portMapping: random.integer(2) === 0 } });
}

/** A ring, some chords, and where there is a hub, everybody with the first. No anchor is there. */
function pairsOf({ nodes, hub }: Plan, random: Random): Pair[] {
  const pairs = new Map<string, Pair>();
  const add = (one: number, other: number) => {
    if (one === other) return;
    const pair = [Math.min(one, other), Math.max(one, other)] as const;
    pairs.set(pair.join(), pair);
  };
  for (let at = 0; at < nodes; at++) add(at, (at + 1) % nodes);
  if (hub) for (let at = 1; at < nodes; at++) add(0, at);
  for (let count = 0; count < nodes * CHORDS_PER_NODE; count++)
    add(random.integer(nodes), random.integer(nodes));
  return [...pairs.values()];
}

/** One asks, the other's agent accepts. */
export async function connect(
  world: World,
  asking: Machine,
  asked: Machine,
  target = `http://${asked.host.address}:${asked.port}`,
): Promise<void> {
  const answer = await asking.call("connection", { action: "request", target_url: target });
  const pending = await asked.call("list_pending_requests");
  for (const { request_id: id } of rows(pending?.requests))
    await asked.call("connection", { action: "accept", request_id: id });
  for (let waited = 0; waited < CONNECTED_WITHIN_MS; waited += SECOND_MS) {
    if ((await isConnected(asking, asked)) && (await isConnected(asked, asking))) return;
    await world.clock.sleep(SECOND_MS);
    // Who stands behind a router cannot be told that it was accepted: it asks again.
    if (waited % ASKS_AGAIN_MS === 0)
      await asking.call("connection", { action: "request", target_url: target });
  }
  const words = `${JSON.stringify(answer)}, ${JSON.stringify(pending)}`;
  throw new Error(`${asking.name} and ${asked.name} (${short(asked.id)}) do not connect: ${words}`);
}

const ASKS_AGAIN_MS = 5 * SECOND_MS;
const CONNECTED_WITHIN_MS = 20 * SECOND_MS;

async function isConnected(machine: Machine, other: Machine): Promise<boolean> {
  const answer = await machine.call("list_connections");
  return rows(answer?.connections).some(({ agent_id: id }) => id === other.id);
}

/** Lets time pass until something is done. Throws when it is not within so long. */
export async function within<T>(world: World, promised: Promise<T>, maxMs: number): Promise<T> {
  let isDone = false;
  const done = promised.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  const until = world.clock.monotonic() + maxMs;
  await world.clock.settle();
  while (!isDone) {
    if (world.clock.monotonic() >= until) throw new Error(`not done within ${maxMs / SECOND_MS} s`);
    await world.clock.advance(STEP_MS);
  }
  return done;
}

const STEP_MS = 100;
