import type { Reporter, TestModule } from "vitest/node";
import { tallyLine } from "./tally.ts";

/** Ends vitest's output as every runner of this project ends: each skip with its reason, then the count. */
export default class VitestTally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    const skips: string[] = [];
    for (const module of modules) {
      if (module.errors().length > 0) failed++;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed++;
        else if (result.state === "skipped") {
          skips.push(`skip ${test.fullName}: ${result.note ?? "no reason given"}`);
        } else failed++;
      }
    }
    for (const skip of skips) console.log(skip);
    console.log(tallyLine({ passed, failed, skipped: skips.length }));
  }
}
