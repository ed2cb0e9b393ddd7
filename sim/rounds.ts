import { keepPlan } from "./kept.ts";
import { type Plan, type PlanOptions, planOf } from "./plan.ts";
import { kindOf, shrink } from "./shrink.ts";
import type { Outcome } from "./simulate.ts";
import type { Workers } from "./workers.ts";

/** How many seeds were well, and how many were not. */
export interface Tally {
  passed: number;
  failed: number;
}

const PROGRESS_EVERY = 10;
/** Shrinking takes many runs: of more failures than this only the seed is told. */
const SHRUNK_MAX = 3;

/** Runs many seeds; each that fails is shrunk, kept as a test, and told in a line that repeats it. */
export async function runSeeds(
  workers: Workers,
  seeds: readonly number[],
  options: Omit<PlanOptions, "seed">,
  keep: boolean,
): Promise<Tally> {
  const tally = { passed: 0, failed: 0 };
  const failures: { plan: Plan; outcome: Outcome }[] = [];
  const started = performance.now();
  await Promise.all(
    seeds.map(async (seed) => {
      const plan = planOf({ ...options, seed });
      const outcome = await workers.run(plan);
      if (outcome.problems.length === 0) tally.passed++;
      else {
        tally.failed++;
        failures.push({ plan, outcome });
        tell(plan, outcome);
      }
      const done = tally.passed + tally.failed;
      if (done % PROGRESS_EVERY === 0 && done < seeds.length) {
        const seconds = Math.round((performance.now() - started) / 1000);
        console.log(`${done} of ${seeds.length} seeds, ${tally.failed} failed, ${seconds} s`);
      }
    }),
  );
  for (const failure of failures.slice(0, keep ? SHRUNK_MAX : 0)) await reduce(workers, failure);
  return tally;
}

function tell({ seed, nodes, minutes }: Plan, { problems }: Outcome): void {
  console.log(`FAILED seed ${seed}: npm run sim -- --seed ${seed} --nodes ${nodes} --minutes ${minutes}`);
  for (const problem of problems.slice(0, PROBLEMS_SHOWN)) console.log(`  ${problem.slice(0, LINE_MAX)}`);
  if (problems.length > PROBLEMS_SHOWN) console.log(`  and ${problems.length - PROBLEMS_SHOWN} more`);
}

const PROBLEMS_SHOWN = 5;
const LINE_MAX = 400;

async function reduce(workers: Workers, { plan, outcome }: { plan: Plan; outcome: Outcome }): Promise<void> {
  const kinds = new Set(outcome.problems.map(kindOf));
  let found = outcome.problems;
  const small = await shrink(plan, async (smaller) => {
    const { problems } = await workers.run(smaller);
    const alike = problems.filter((problem) => kinds.has(kindOf(problem)));
    if (alike.length > 0) found = alike;
    return alike.length > 0;
  });
  const path = keepPlan(small, found);
  console.log(
    `seed ${plan.seed} shrunk to ${small.nodes} nodes, ${small.minutes} min, ${small.faults.length} faults: npm run sim -- --plan ${path}`,
  );
}

/** Runs each seed in two processes at once: everything that happens must be the same in both. */
export async function runTwice(
  workers: Workers,
  seeds: readonly number[],
  options: Omit<PlanOptions, "seed">,
): Promise<Tally> {
  const tally = { passed: 0, failed: 0 };
  for (const seed of seeds) {
    const plan = planOf({ ...options, seed });
    const [one, other] = await Promise.all([workers.run(plan), workers.run(plan)]);
    if (one.problems.length > 0) tell(plan, one);
    if (one.hash !== other.hash)
      console.log(`FAILED seed ${seed}: two runs differ, ${one.hash} and ${other.hash}`);
    if (one.problems.length > 0 || one.hash !== other.hash) tally.failed++;
    else {
      tally.passed++;
      console.log(`ok     seed ${seed}: ${one.messages} messages, trace ${one.hash.slice(0, 16)}, twice`);
    }
  }
  return tally;
}
