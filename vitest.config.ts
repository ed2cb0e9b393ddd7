import { defineConfig } from "vitest/config";

const TEST_TIMEOUT_MS = 20_000;

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts", "sim/**/*.test.ts"],
    // Processes, since some tests listen to signals and change directory; shared between files, since none
    // keeps state in a module.
    pool: "forks",
    isolate: false,
    // Unasked, it leaves one processor to a watching editor.
    maxWorkers: "100%",
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    teardownTimeout: TEST_TIMEOUT_MS,
    reporters: ["default", "./scripts/vitest-tally.ts"],
  },
});
