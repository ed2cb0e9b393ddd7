// npm test [-- names]: the checks, the tests, and a short round of every runner. The last line is
// "N passed, N failed"; what failed, and each skip with its reason, stand above it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "./run.ts";
import { readFailures, readSkips, readTally, tallyLine, unlistedSkips } from "./tally.ts";

interface Runner {
  readonly name: string;
  readonly args: readonly string[];
  /** The file without which this part does not exist. */
  readonly needs: string;
  /** A program made for people prints no count: its exit code is one. */
  readonly countsAsOne?: boolean;
}

const MINUTE_MS = 60_000;
const RUNNER_TIMEOUT_MS = 8 * MINUTE_MS;
const SKIP_LIST = ".ci/skips.txt";

process.chdir(resolve(import.meta.dirname, ".."));

const DEMO: Runner = {
  name: "demo",
  args: ["bin/darkmatter.js", "demo"],
  needs: "packages/node/src/main.ts",
  countsAsOne: true,
};

/** One after the other; those of one line side by side, since whole nodes mostly wait for each other. */
const RUNNERS: readonly (readonly Runner[])[] = [
  [{ name: "check", args: ["scripts/check.ts"], needs: "scripts/check.ts" }],
  [{ name: "tests", args: ["node_modules/vitest/vitest.mjs", "run"], needs: "vitest.config.ts" }],
  [folderRunner("vectors")],
  ["e2e", "kill"].map(folderRunner),
  [DEMO, folderRunner("sim")],
  [folderRunner("mutants")],
  [folderRunner("bench")],
];

function folderRunner(folder: string): Runner {
  return { name: folder, args: [`${folder}/run.ts`, "--short"], needs: `${folder}/run.ts` };
}

/** Our variables may hold what the user set up for the node they run: no test may see them, or that node. */
function cleanEnvironment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("DARKMATTER_") || /^DARKMATTER_(VECTORS|TEST_)/.test(name),
  );
  const colours = process.stdout.isTTY ? {} : { NO_COLOR: "1" };
  return { ...Object.fromEntries(kept), ...colours, DARKMATTER_HOME: home };
}

async function runOne({ name, args, countsAsOne }: Runner, env: NodeJS.ProcessEnv, isAlone: boolean) {
  console.log(`\n── ${name}`);
  const show = isAlone || `${name}: `;
  const { code, output, ms } = await run(args, { show, timeoutMs: RUNNER_TIMEOUT_MS, env });
  const ok = code === 0;
  const counted = readTally(output) ?? (countsAsOne && ok ? { passed: 1, failed: 0, skipped: 0 } : undefined);
  if (counted === undefined) console.log(`${name} ended without a count, exit code ${code}`);
  const tally = counted ?? { passed: 0, failed: 1, skipped: 0 };
  const failed = tally.failed === 0 && !ok ? 1 : tally.failed;
  const skips = readSkips(output).map((skip) => `${name}: ${skip}`);
  for (let i = skips.length; i < tally.skipped; i++) skips.push(`${name}: skipped without a word`);
  const failures = failed > 0 ? readFailures(output).map((failure) => `${name}: ${failure}`) : [];
  return { name, passed: tally.passed, failed, failures, skips, seconds: Math.round(ms / 1000) };
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !RUNNERS.flat().some((runner) => runner.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(", ")}; there are: ${RUNNERS.flat()
      .map(({ name }) => name)
      .join(", ")}`,
  );
  process.exit(2);
}

const home = mkdtempSync(join(tmpdir(), "darkmatter-test-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
const results = [];
const isWanted = ({ name, needs }: Runner) =>
  (wanted.length === 0 || wanted.includes(name)) && existsSync(needs);
for (const line of RUNNERS) {
  const together = line.filter(isWanted);
  const runs = together.map((runner) => runOne(runner, cleanEnvironment(home), together.length === 1));
  results.push(...(await Promise.all(runs)));
}

const passed = results.reduce((sum, result) => sum + result.passed, 0);
let failed = results.reduce((sum, result) => sum + result.failed, 0);
const skips = results.flatMap((result) => result.skips);

console.log("\n── together");
for (const result of results) {
  const { name, seconds } = result;
  const line = tallyLine({ ...result, skipped: result.skips.length });
  console.log(`${result.failed > 0 ? "FAILED" : "ok    "} ${name}: ${line}, ${seconds} s`);
}
for (const skip of skips) console.log(`skip ${skip}`);
for (const failure of results.flatMap(({ failures }) => failures)) console.log(failure);
if (process.env.CI === "true") {
  for (const skip of unlistedSkips(skips, readFileSync(SKIP_LIST, "utf8"))) {
    failed++;
    console.log(`FAILED: this skip is not on the list in ${SKIP_LIST}: ${skip}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
