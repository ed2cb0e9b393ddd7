import { defineConfig } from "vitest/config";

/** Ends what hangs, also on a machine that is slow to start programs. */
const TEST_TIMEOUT_MS = 60_000;

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts", "sim/**/*.test.ts"],
    // Processes, since some tests listen to signals and change directory; shared between files, since none
    // keeps state in a module.
    pool: "forks",
    isolate: false,
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    teardownTimeout: TEST_TIMEOUT_MS,
    reporters: ["default", "./scripts/vitest-tally.ts"],
  },
});
