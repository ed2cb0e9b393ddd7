import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const TEST_TIMEOUT_MS = 20_000;

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts", "sim/**/*.test.ts", "e2e/*.test.ts"],
    // Processes, since some tests listen to signals and change directory; shared between files, since none
    // keeps state in a module.
    pool: "forks",
    isolate: false,
    // One more than there are processors: some tests mostly wait, for networks and programs.
    maxWorkers: availableParallelism() + 1,
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    teardownTimeout: TEST_TIMEOUT_MS,
    reporters: ["default", "./scripts/vitest-tally.ts"],
  },
});
