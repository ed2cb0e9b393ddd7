/** One thing that must heal, or must not happen, told as a story of a few nodes. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  run(): Promise<readonly string[]>;
}

export const SCENARIOS: readonly Scenario[] = [];

/** Runs all scenarios, or the one that is called so. */
export async function runScenarios(name: string | undefined): Promise<{ passed: number; failed: number }> {
  const tally = { passed: 0, failed: 0 };
  const chosen = SCENARIOS.filter((scenario) => name === undefined || scenario.name === name);
  if (chosen.length === 0 && name !== undefined) throw new Error(`There is no scenario ${name}: see --list.`);
  for (const scenario of chosen) {
    const problems = await scenario.run();
    if (problems.length === 0) tally.passed++;
    else tally.failed++;
    console.log(`${problems.length === 0 ? "ok    " : "FAILED"} ${scenario.name}: ${scenario.title}`);
    for (const problem of problems) console.log(`  ${problem}`);
  }
  return tally;
}
