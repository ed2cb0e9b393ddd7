import type { Reporter, TestModule } from "vitest/node";
import { tallyLine } from "./tally.ts";

/** Ends vitest's output as every runner of this project ends: what failed, each skip with its reason, the count. */
export default class VitestTally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    const failures = unhandled.map((error) => `outside of any test: ${reasonOf(error)}`);
    const skips: string[] = [];
    for (const module of modules) {
      const [broken] = module.errors();
      if (broken) failures.push(`${module.relativeModuleId}: ${reasonOf(broken)}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) failures.push(`${suite.fullName}: ${reasonOf(error)}`);
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed++;
        else if (result.state === "skipped") {
          skips.push(`skip ${test.fullName}: ${result.note ?? "no reason given"}`);
        } else {
          failures.push(`${module.relativeModuleId} > ${test.fullName}: ${reasonOf(result.errors?.[0])}`);
        }
      }
    }
    for (const failure of failures) console.log(`FAILED ${failure}`);
    for (const skip of skips) console.log(skip);
    console.log(tallyLine({ passed, failed: failures.length, skipped: skips.length }));
  }
}

/** The first line of what an error says. */
function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return String(message ?? "no reason given").split("\n", 1)[0] ?? "";
}
