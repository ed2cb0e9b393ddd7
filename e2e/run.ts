// npm run e2e [-- SUITE…] [--short] [--count N]: whole nodes as processes of their own, driven from outside, and the
// verifiers beside each other. A suite that is named runs whole; without names, or with --short, those that take long
// run a part: mutations 2,000 of 100,000 (or N), doctor and nat their first cases, society four of seven nodes, heal shorter sleeps, stranger fewer
// lies. The last line is "N passed, N failed, N skipped".
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runA2a } from "./a2a/a2a.ts";
import { runAnchor } from "./anchor/anchor.ts";
import { runBootstrap } from "./bootstrap/bootstrap.ts";
import { runBrowser } from "./browser/browser.ts";
import { type Checks, createChecks } from "./checks.ts";
import { runConversation } from "./conversation/conversation.ts";
import { runDoctor } from "./doctor/doctor.ts";
import { runHeal } from "./heal/heal.ts";
import { runLan } from "./lan/lan.ts";
import { runLedger } from "./ledger/ledger.ts";
import { runMcp } from "./mcp/mcp.ts";
import { MUTATIONS, runMutations } from "./mutations/mutations.ts";
import { runNat } from "./nat/nat.ts";
import { runSociety } from "./society/society.ts";
import { runStranger } from "./stranger/stranger.ts";
import { runWire } from "./wire/wire.ts";

/** Those that take longest come first: they are run side by side. The last is run after them, alone. */
const SUITES = {
  heal: (all: Checks) => runHeal(all, { short: isShort("heal") }),
  ledger: runLedger,
  society: (all: Checks) => runSociety(all, { short: isShort("society") }),
  conversation: runConversation,
  a2a: runA2a,
  anchor: runAnchor,
  stranger: (all: Checks) => runStranger(all, { short: isShort("stranger") }),
  doctor: (all: Checks) => runDoctor(all, { short: isShort("doctor") }),
  mutations: (all: Checks) => runMutations(all, { count: mutations }),
  lan: runLan,
  bootstrap: runBootstrap,
  nat: (all: Checks) => runNat(all, { short: isShort("nat") }),
  wire: runWire,
  browser: runBrowser,
  mcp: runMcp,
};
/** It measures how soon a session takes over, which other programs on the same processors would tell of instead. */
const ALONE = "mcp";
type SuiteName = keyof typeof SUITES;
const isShort = (name: SuiteName) => !wanted.includes(name) || options.short === true;
const isSuite = (name: string): name is SuiteName => Object.hasOwn(SUITES, name);

const { positionals: wanted, values: options } = parseArgs({
  options: { short: { type: "boolean" }, count: { type: "string" } },
  allowPositionals: true,
});
const isLong = wanted.includes("mutations") && !options.short;
const mutations = Number(options.count ?? (isLong ? MUTATIONS.whole : MUTATIONS.short));
if (!(mutations >= 1)) {
  console.error("--count is how many mutations to try: a whole number from 1");
  process.exit(2);
}
/** Suites at once, which wait a part of the time; one that is named runs alone. */
const SIDE_BY_SIDE = wanted.length > 0 ? 1 : Math.min(availableParallelism() + 1, 4);
/** Nothing here takes longer, whatever happens. */
const WHOLE_MS = 900_000 + mutations * 60;

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
const suites = wanted.length > 0 ? wanted.filter(isSuite) : (Object.keys(SUITES) as SuiteName[]);

async function runSuite(name: SuiteName): Promise<void> {
  const start = performance.now();
  console.log(`\n${name}`);
  try {
    await SUITES[name](checks);
  } catch (error) {
    await checks.check(`${name}: the rest`, () => Promise.reject(error));
  }
  checks.figure(`e2e.${name}_s`, (performance.now() - start) / 1000, "s");
}

const together = suites.filter((name) => name !== ALONE);
/** Suites mostly wait: for programs to start, for networks to heal. */
const lanes = Array.from({ length: SIDE_BY_SIDE }, async () => {
  for (let next = together.shift(); next; next = together.shift()) await runSuite(next);
});
await Promise.all(lanes);
if (suites.includes(ALONE)) await runSuite(ALONE);
clearTimeout(late);
if (checks.failed === 0) {
  await checks.check("nothing failed unheard", () => {
    if (unheard.length > 0) throw new Error(unheard.join("; "));
  });
}
const { passed, failed, skipped } = checks;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 ? 1 : 0);
