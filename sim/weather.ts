import type { NatBox } from "@darkmatter/net/testing";
import type { Machine } from "./machine.ts";
import type { Fault, Plan } from "./plan.ts";
import type { World } from "./world.ts";

/** The machines of a run, and the routers they stand behind. */
export interface Site {
  readonly machines: readonly Machine[];
  /** By the machine's name. */
  readonly routers: ReadonlyMap<string, NatBox>;
  /** Those that are no longer where others met them, or whose router leads nowhere now. */
  readonly moved: Set<Machine>;
}

/** Milliseconds one way when nothing is wrong. */
export const CALM = { minMs: 2, maxMs: 40, tail: { chance: 0.02, maxMs: 400 } } as const;

/** Lets everything go wrong as planned; resolves when all of it is over and every node runs again. */
export async function weather(world: World, plan: Plan, site: Site): Promise<void> {
  await Promise.all(plan.faults.map((fault, at) => befall(world, fault, at, site)));
  for (const machine of site.machines) if (!machine.running) await machine.start();
}

async function befall(world: World, fault: Fault, number: number, site: Site): Promise<void> {
  const { clock, trace } = world;
  await clock.sleep(fault.at);
  trace.note("fault", number, JSON.stringify(fault));
  switch (fault.kind) {
    case "lose":
    case "repeat":
    case "slow":
      return spoil(world, fault);
    case "partition":
      return cut(world, fault, site);
    default: {
      const machine = site.machines[fault.node];
      if (machine) await strike(world, fault, number, machine, site);
    }
  }
}

async function spoil(
  { clock, internet }: World,
  fault: Extract<Fault, { kind: "lose" | "repeat" | "slow" }>,
): Promise<void> {
  if (fault.kind === "slow") {
    internet.latency(CALM.minMs, fault.maxMs, CALM.tail);
    await clock.sleep(fault.for);
    return internet.latency(CALM.minMs, CALM.maxMs, CALM.tail);
  }
  const { chance } = fault;
  using _spoilt =
    fault.kind === "lose" ? internet.lose(fault.what, {}, { chance }) : internet.duplicate({}, { chance });
  await clock.sleep(fault.for);
}

async function cut(
  { clock, internet }: World,
  { node, other, silent, oneWay, for: forMs }: Extract<Fault, { kind: "partition" }>,
  { machines }: Site,
): Promise<void> {
  const [one, two] = [machines[node], machines[other]];
  if (!one || !two) return;
  using _cut = internet.partition(one.host.name, two.host.name, { silent, oneWay });
  await clock.sleep(forMs);
}

type Strike = Exclude<Fault, { kind: "lose" | "repeat" | "slow" | "partition" }>;

async function strike(world: World, fault: Strike, number: number, machine: Machine, site: Site) {
  const { clock } = world;
  switch (fault.kind) {
    case "crash":
      return crash(world, fault, machine, site);
    case "stop":
      await machine.stop();
      await clock.sleep(fault.for);
      return startAgain(machine);
    case "sleep":
      return sleep(world, fault.for, machine);
    case "skew":
      machine.skewMs = fault.skewMs;
      return;
    case "move":
      machine.host.move(
        site.routers.has(machine.name) ? `192.168.7.${100 + (number % 100)}` : address(number),
      );
      site.moved.add(machine);
      return;
    case "offline": {
      using _down = machine.host.down();
      await clock.sleep(fault.for);
      return;
    }
    case "router": {
      const router = site.routers.get(machine.name);
      if (router) site.moved.add(machine);
      router?.forget();
      if (fault.newAddress) router?.move(address(number));
      return;
    }
  }
}

async function crash(
  world: World,
  fault: Extract<Fault, { kind: "crash" }>,
  machine: Machine,
  { moved }: Site,
): Promise<void> {
  const { where } = fault;
  const life = machine.running?.life;
  if (where === "now") machine.kill();
  else if (typeof where === "number") life?.endAfter(where);
  else if (life) machine.disk.atCommit(where === "commit-kept" ? "kept" : "lost", () => life.end());
  await world.clock.sleep(fault.for);
  // A node that had nothing to do may not have got there.
  if (life && life === machine.running?.life) machine.kill();
  if (machine.running) return;
  if (fault.elsewhere) {
    machine.port++;
    moved.add(machine);
  }
  await startAgain(machine);
}

/** The machine is shut: its processes stop where they are, and its network is gone. */
async function sleep({ clock }: World, forMs: number, machine: Machine): Promise<void> {
  const life = machine.running?.life;
  life?.freeze();
  await clock.sleep(forMs);
  life?.thaw();
}

async function startAgain(machine: Machine): Promise<void> {
  if (!machine.running) await machine.start();
}

/** An address nobody else has. */
export const address = (number: number): string =>
  `6.0.${Math.floor(number / ADDRESSES)}.${1 + (number % ADDRESSES)}`;

const ADDRESSES = 250;
