import { DELIVERY } from "./delivery.ts";
import { LOOPS } from "./loops.ts";
import { PLACES } from "./places.ts";
import type { Scenario } from "./stage.ts";

export const SCENARIOS: readonly Scenario[] = [...DELIVERY, ...PLACES, ...LOOPS];

/** Runs the scenario that is called so, or all of them; `short` leaves out those that take long. */
export async function runScenarios(
  name: string | undefined,
  short = false,
): Promise<{ passed: number; failed: number }> {
  const tally = { passed: 0, failed: 0 };
  const chosen = SCENARIOS.filter((scenario) =>
    name === undefined ? !(short && scenario.isLong) : scenario.name === name,
  );
  if (chosen.length === 0) throw new Error(`There is no scenario ${name}: see --list.`);
  for (const scenario of chosen) {
    const started = performance.now();
    const problems = await scenario.run();
    if (problems.length === 0) tally.passed++;
    else tally.failed++;
    const took = `${Math.round(performance.now() - started)} ms`;
    console.log(
      `${problems.length === 0 ? "ok    " : "FAILED"} ${scenario.name}: ${scenario.title}, ${took}`,
    );
    for (const problem of problems) console.log(`  ${problem}`);
  }
  return tally;
}
