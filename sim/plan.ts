import { MINUTE_MS, type Random, SECOND_MS, sha256 } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";

/** What a run is: all of it follows from these values. */
export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  /** Virtual minutes of talk and faults; the network is whole after them. */
  readonly minutes: number;
  readonly faults: readonly Fault[];
  /** Whether a hostile agent takes part. */
  readonly hostile: boolean;
  /** Whether some nodes stand behind routers. Then all have data channels; otherwise half of them. */
  readonly routers: boolean;
  /** Whether everybody is connected to the first: then any two that lost each other have a friend in common. */
  readonly hub: boolean;
}

/** Something that goes wrong. `at` and `for` are milliseconds, `at` after the agents begin to talk. */
export type Fault =
  | {
      readonly kind: "crash";
      readonly at: number;
      readonly for: number;
      readonly node: number;
      /** Where it dies: at once, after so many acts at ports, or in the next COMMIT, whose rows are kept or lost. */
      readonly where: number | "now" | "commit-kept" | "commit-lost";
      /** Whether it listens on another port afterwards. */
      readonly elsewhere: boolean;
    }
  | { readonly kind: "stop"; readonly at: number; readonly for: number; readonly node: number }
  | { readonly kind: "sleep"; readonly at: number; readonly for: number; readonly node: number }
  | { readonly kind: "skew"; readonly at: number; readonly node: number; readonly skewMs: number }
  | { readonly kind: "move"; readonly at: number; readonly node: number }
  | { readonly kind: "offline"; readonly at: number; readonly for: number; readonly node: number }
  | { readonly kind: "router"; readonly at: number; readonly node: number; readonly newAddress: boolean }
  | {
      readonly kind: "partition";
      readonly at: number;
      readonly for: number;
      readonly node: number;
      readonly other: number;
      readonly silent: boolean;
      readonly oneWay: boolean;
    }
  | {
      readonly kind: "lose";
      readonly at: number;
      readonly for: number;
      readonly what: "request" | "answer";
      readonly chance: number;
    }
  | { readonly kind: "repeat"; readonly at: number; readonly for: number; readonly chance: number }
  | { readonly kind: "slow"; readonly at: number; readonly for: number; readonly maxMs: number };

export const SKEW_MAX_MS = 2 * MINUTE_MS;
/** Faults for each node in ten minutes, more or less. */
const FAULTS_PER_NODE = 3;
const FULL_MINUTES = 10;
const DOWN_MAX_MS = 90 * SECOND_MS;
const SLEEP_MAX_MS = 120 * SECOND_MS;
const WEATHER_MAX_MS = 90 * SECOND_MS;
const SLOW_MAX_MS = 6 * SECOND_MS;
const ACTS_MAX = 400;

export interface PlanOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly hostile?: boolean;
  readonly routers?: boolean;
  readonly hub?: boolean;
}

/** The faults a seed stands for. */
export function planOf({
  seed,
  nodes,
  minutes,
  hostile = true,
  routers = true,
  hub = true,
}: PlanOptions): Plan {
  const digest = sha256(`plan ${seed}`).subarray(0, 6);
  const random = seededRandom(digest.reduce((sum, byte) => sum * 256 + byte, 0));
  const count = Math.ceil((nodes * FAULTS_PER_NODE * minutes) / FULL_MINUTES);
  const faults = Array.from({ length: count }, () => drawFault(random, nodes, minutes * MINUTE_MS));
  faults.sort((a, b) => a.at - b.at);
  const isRouted = routers && seed % 2 === 0;
  const hasHub = hub && seed % 4 < 2;
  return { seed, nodes, minutes, faults, hostile, routers: isRouted, hub: hasHub };
}

const KINDS: readonly Fault["kind"][] = [
  "crash",
  "crash",
  "crash",
  "crash",
  "stop",
  "sleep",
  "sleep",
  "skew",
  "move",
  "offline",
  "router",
  "partition",
  "partition",
  "lose",
  "lose",
  "repeat",
  "slow",
];

function drawFault(random: Random, nodes: number, withinMs: number): Fault {
  const kind = oneOf(random, KINDS);
  const at = random.integer(withinMs);
  const node = random.integer(nodes);
  const lasting = (maxMs: number) => SECOND_MS + random.integer(maxMs);
  const chance = () => (1 + random.integer(30)) / 100;
  switch (kind) {
    case "crash": {
      const where = oneOf(random, ["now", "acts", "acts", "commit-kept", "commit-lost"] as const);
      return {
        kind,
        at,
        node,
        for: lasting(DOWN_MAX_MS),
        where: where === "acts" ? 1 + random.integer(ACTS_MAX) : where,
        elsewhere: random.integer(3) === 0,
      };
    }
    case "stop":
      return { kind, at, node, for: lasting(DOWN_MAX_MS) };
    case "sleep":
      return { kind, at, node, for: lasting(SLEEP_MAX_MS) };
    case "skew":
      return { kind, at, node, skewMs: random.integer(2 * SKEW_MAX_MS + 1) - SKEW_MAX_MS };
    case "move":
      return { kind, at, node };
    case "offline":
      return { kind, at, node, for: lasting(DOWN_MAX_MS) };
    case "router":
      return { kind, at, node, newAddress: random.integer(2) === 0 };
    case "partition": {
      const other = (node + 1 + random.integer(Math.max(1, nodes - 1))) % nodes;
      const [silent, oneWay] = [random.integer(2) === 0, random.integer(2) === 0];
      return { kind, at, node, other, for: lasting(WEATHER_MAX_MS), silent, oneWay };
    }
    case "lose":
      return {
        kind,
        at,
        for: lasting(WEATHER_MAX_MS),
        what: oneOf(random, ["request", "answer"]),
        chance: chance(),
      };
    case "repeat":
      return { kind, at, for: lasting(WEATHER_MAX_MS), chance: chance() };
    case "slow":
      return { kind, at, for: lasting(WEATHER_MAX_MS), maxMs: lasting(SLOW_MAX_MS) };
  }
}

export function oneOf<const T>(random: Random, all: readonly T[]): T {
  return all[random.integer(all.length)] as T;
}
