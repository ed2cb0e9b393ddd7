// npm run sim [-- …]: whole nodes in one process, in virtual time, with everything that can go wrong.
//   --seeds N [--from S]   N seeds on all processors; each that fails is shrunk and kept in sim/seeds
//   --seed S               one seed; prints its trace hash, the same on every run and machine
//   --plan FILE            a kept plan
//   --scenario NAME, --list
//   antimatter             who wins fees, against what the rules promise; the table of docs/antimatter.md
//   --nodes N --minutes M --no-hostile --no-routers --no-hub --no-faults --trace FILE --short
// The last line is "N passed, N failed".
import { createWriteStream } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createFigures } from "../bench/lib/figures.ts";
import { simulateFees } from "./antimatter.ts";
import { measure } from "./figures.ts";
import { readPlan } from "./kept.ts";
import { type Plan, planOf } from "./plan.ts";
import { runSeeds, runTwice } from "./rounds.ts";
import { runScenarios, SCENARIOS } from "./scenarios/all.ts";
import { simulate } from "./simulate.ts";
import { startWorkers } from "./workers.ts";

const NODES = 10;
const MINUTES = 10;
/** Seeds of a run without arguments. */
const SEEDS = 20;
const SHORT = { seeds: [1, 2], nodes: 5, minutes: 2 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    plan: { type: "string" },
    scenario: { type: "string" },
    list: { type: "boolean", default: false },
    nodes: { type: "string" },
    minutes: { type: "string" },
    "no-hostile": { type: "boolean", default: false },
    "no-routers": { type: "boolean", default: false },
    "no-hub": { type: "boolean", default: false },
    "no-faults": { type: "boolean", default: false },
    trace: { type: "string" },
    figures: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
  },
});
const settings = {
  nodes: Number(values.nodes ?? NODES),
  minutes: Number(values.minutes ?? MINUTES),
  hostile: !values["no-hostile"],
  routers: !values["no-routers"],
  hub: !values["no-hub"],
};

process.exitCode = await main();

async function main(): Promise<number> {
  if (positionals.length > 0) return only(positionals);
  if (values.list) {
    for (const { name, title } of SCENARIOS) console.log(`${name.padEnd(24)} ${title}`);
    return 0;
  }
  if (values.seed !== undefined) return one(planOf({ ...settings, seed: Number(values.seed) }));
  if (values.plan !== undefined) return one(readPlan(values.plan).plan);
  if (values.scenario !== undefined) return ended(await runScenarios(values.scenario));
  if (values.short) return short();
  if (values.figures) return figures(undefined);
  return whole();
}

async function only(parts: readonly string[]): Promise<number> {
  if (parts.some((part) => part !== "antimatter")) {
    console.error(`There is no ${parts.join(", ")}; there is: antimatter`);
    return 2;
  }
  return ended(await simulateFees(values.short));
}

async function one(given: Plan): Promise<number> {
  const plan = values["no-faults"] ? { ...given, faults: [] } : given;
  const file = values.trace === undefined ? undefined : createWriteStream(values.trace);
  const started = performance.now();
  console.error(
    `seed ${plan.seed}: ${plan.nodes} nodes, ${plan.faults.length} faults; this takes some seconds`,
  );
  const outcome = await simulate(plan, file ? { showTrace: (line) => void file.write(line) } : {});
  file?.end();
  for (const problem of outcome.problems) console.log(`FAILED ${problem}`);
  const { messages, answers, commits, traceLines, virtualMs } = outcome;
  console.log(
    `${plan.nodes} nodes, ${plan.faults.length} faults, ${messages} messages, ${answers} answers, ${commits} commits, ` +
      `${traceLines} lines, ${Math.round(virtualMs / 1000)} virtual s in ${Math.round(performance.now() - started)} ms`,
  );
  console.log(`trace ${outcome.hash}`);
  return ended(outcome.problems.length > 0 ? { passed: 0, failed: 1 } : { passed: 1, failed: 0 });
}

async function whole(): Promise<number> {
  using workers = startWorkers(availableParallelism());
  const count = Number(values.seeds ?? SEEDS);
  const from = Number(values.from);
  const seeds = Array.from({ length: count }, (_, at) => from + at);
  const { passed, failed } = await runSeeds(workers, seeds, settings, true);
  if (values.seeds !== undefined) {
    console.log(`figure sim.seeds_failed ${failed} seeds`);
    return ended({ passed, failed });
  }
  const scenarios = await runScenarios(undefined);
  const fees = await simulateFees(true);
  return figures({
    passed: passed + scenarios.passed + fees.passed,
    failed: failed + scenarios.failed + fees.failed,
  });
}

async function short(): Promise<number> {
  using workers = startWorkers(2);
  const { seeds, ...rest } = SHORT;
  const twice = await runTwice(workers, seeds, { ...settings, ...rest });
  const scenarios = await runScenarios(undefined, true);
  const fees = await simulateFees(true);
  return ended({
    passed: twice.passed + scenarios.passed + fees.passed,
    failed: twice.failed + scenarios.failed + fees.failed,
  });
}

async function figures(before: { passed: number; failed: number } | undefined): Promise<number> {
  const measured = createFigures({ short: values.short });
  await measure(measured);
  const code = measured.end();
  if (before === undefined) return code;
  return ended(before) || code;
}

function ended({ passed, failed }: { passed: number; failed: number }): number {
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}
