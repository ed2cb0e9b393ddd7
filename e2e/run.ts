// npm run e2e [-- mcp|wire|browser] [--short]: whole nodes as processes of their own, driven from outside. The short round is
// the whole one: it takes less than a minute. The last line is "N passed, N failed, N skipped".
import { runBrowser } from "./browser/browser.ts";
import { createChecks } from "./checks.ts";
import { runMcp } from "./mcp/mcp.ts";
import { runWire } from "./wire/wire.ts";

const SUITES = { mcp: runMcp, wire: runWire, browser: runBrowser };
type SuiteName = keyof typeof SUITES;
const isSuite = (name: string): name is SuiteName => Object.hasOwn(SUITES, name);

/** Nothing here takes longer, whatever happens. */
const WHOLE_MS = 200_000;

const given = process.argv.slice(2);
const wanted = given.filter((word) => word !== "--short");
const unknown = wanted.filter((name) => !isSuite(name));
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(", ")}; there are: ${Object.keys(SUITES).join(", ")}`);
  process.exit(2);
}

const late = setTimeout(() => {
  console.log(`not done within ${WHOLE_MS} ms\n0 passed, 1 failed`);
  process.exit(1);
}, WHOLE_MS);

// A check that fails leaves waits behind, which fail later and unheard: the run goes on, and tells of them.
const unheard: string[] = [];
process.on("unhandledRejection", (reason) => void unheard.push(String(reason)));

const checks = createChecks();
for (const name of wanted.length > 0 ? wanted.filter(isSuite) : (Object.keys(SUITES) as SuiteName[])) {
  const start = performance.now();
  console.log(`\n${name}`);
  try {
    await SUITES[name](checks);
  } catch (error) {
    await checks.check(`${name}: the rest`, () => Promise.reject(error));
  }
  checks.figure(`e2e.${name}_s`, (performance.now() - start) / 1000, "s");
}
clearTimeout(late);
if (checks.failed === 0) {
  await checks.check("nothing failed unheard", () => {
    if (unheard.length > 0) throw new Error(unheard.join("; "));
  });
}
const { passed, failed, skipped } = checks;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 ? 1 : 0);
