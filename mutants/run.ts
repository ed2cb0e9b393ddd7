// npm run mutate [-- --short] [-- names]: puts each fault of mutants/*.patch into a private copy of the code and
// runs the test that must notice it. A fault that no test notices is a hole in the tests.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { tallyLine } from "../scripts/tally.ts";
import { type Colour, type Guard, type GuardRun, runGuards } from "./guard.ts";
import { type Mutant, readMutants } from "./patch.ts";
import { copyTree, type TreeCopy } from "./tree-copy.ts";

/** Copies worked on side by side. */
const LANES = 2;
const MUTANT_TIMEOUT_MS = 60_000;
const GREEN_TIMEOUT_MS = 150_000;
/** A fault may make a test wait for what never comes: red soon enough. */
const MUTANT_TEST_TIMEOUT_MS = 12_000;
const GREEN_TEST_TIMEOUT_MS = 30_000;

/** A mutant that could not be tried is no kill: it fails the round and counts among those that survived. */
type Verdict = { readonly word: "killed" | "SURVIVED" | "NOT TRIED"; readonly text: string };

const root = resolve(import.meta.dirname, "..");
const temporary = mkdtempSync(join(tmpdir(), "dm-mut-"));
// A test's PostgreSQL runs as nobody, since it refuses to run as root: it has to get through to its own folder.
chmodSync(temporary, 0o711);
// Also after Ctrl-C: the runner of programs ends them and then this process.
process.on("exit", () => rmSync(temporary, { recursive: true, force: true, maxRetries: 5 }));

const args = process.argv.slice(2);
const short = args.includes("--short");
const wanted = args.filter((arg) => !arg.startsWith("--"));
const all = readMutants(import.meta.dirname);
const unknown = [
  ...args.filter((arg) => arg.startsWith("--") && arg !== "--short"),
  ...wanted.filter((name) => !all.some((mutant) => mutant.name === name)),
];
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(", ")}. There are: ${all.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

mkdirSync(join(temporary, "t"));
const copies = Array.from({ length: LANES }, (_, at) => copyTree(root, join(temporary, `copy-${at + 1}`)));
const [firstCopy] = copies as [TreeCopy];
const named = wanted.length > 0 ? all.filter(({ name }) => wanted.includes(name)) : all;
let killed = 0;
let failed = 0;

// A short round still tells which patch no longer fits the code.
const fitting = named.filter((mutant) => {
  const refusal = firstCopy.refusal(mutant);
  if (refusal !== undefined) {
    record(mutant, { word: "NOT TRIED", text: `the patch no longer applies: ${refusal}` });
  }
  return refusal === undefined;
});
const chosen = short ? fitting.filter(({ quick }) => quick) : fitting;
const colours = await colourUnchanged(chosen);
await inLanes(chosen, async (mutant, copy) => record(mutant, await judge(mutant, copy)));

console.log(`figure mutants.survived ${failed} count`);
console.log(tallyLine({ passed: killed, failed, skipped: 0 }));
process.exit(failed > 0 ? 1 : 0);

function optionsFor(testTimeoutMs: number, timeoutMs: number): GuardRun {
  // What the user has set up for a node of theirs is nothing to the tests.
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("DARKMATTER_") || name.startsWith("DARKMATTER_TEST_"),
  );
  // A test that is killed cleans nothing up: what it made goes with this folder. Short, for the sockets in it.
  const places = { DARKMATTER_HOME: join(temporary, "home"), TMPDIR: join(temporary, "t") };
  // The runner of tests is started for each fault: it and the code are compiled once.
  const compiled = { NODE_COMPILE_CACHE: join(temporary, "compiled") };
  return { env: { ...Object.fromEntries(kept), ...places, ...compiled }, testTimeoutMs, timeoutMs };
}

/** Each named test on the unchanged code: what is red or missing there proves nothing. */
async function colourUnchanged(mutants: readonly Mutant[]): Promise<ReadonlyMap<string, Colour>> {
  const guards = [...new Map(mutants.map((mutant) => [keyOf(mutant), mutant])).values()];
  const files = [...new Set(guards.map(({ file }) => file))];
  const found = new Map<string, Colour>();
  await Promise.all(
    copies.map(async (copy, lane) => {
      const share = guards.filter(({ file }) => files.indexOf(file) % LANES === lane);
      const colours = await runGuards(copy, share, optionsFor(GREEN_TEST_TIMEOUT_MS, GREEN_TIMEOUT_MS));
      share.forEach((guard, at) => {
        found.set(keyOf(guard), colours[at] ?? { kind: "not run", reason: "no answer" });
      });
    }),
  );
  return found;
}

async function judge(mutant: Mutant, copy: TreeCopy): Promise<Verdict> {
  const before = colours.get(keyOf(mutant));
  if (before?.kind !== "green") {
    const reason = before ? `${before.kind}, ${before.reason}` : "not run";
    return { word: "NOT TRIED", text: `its test is not green on the unchanged code: ${reason}` };
  }
  using _fault = copy.mutate(mutant);
  const [after] = await runGuards(copy, [mutant], optionsFor(MUTANT_TEST_TIMEOUT_MS, MUTANT_TIMEOUT_MS));
  if (after?.kind === "red") return { word: "killed", text: after.reason };
  if (after?.kind === "green") {
    return { word: "SURVIVED", text: `${mutant.file} stayed green: "${mutant.test}"` };
  }
  return { word: "NOT TRIED", text: `its test did not run: ${after?.reason ?? "no answer"}` };
}

async function inLanes(
  mutants: readonly Mutant[],
  act: (mutant: Mutant, copy: TreeCopy) => Promise<void>,
): Promise<void> {
  const queue = [...mutants];
  await Promise.all(
    copies.map(async (copy) => {
      for (let next = queue.shift(); next; next = queue.shift()) await act(next, copy);
    }),
  );
}

function record(mutant: Mutant, { word, text }: Verdict): void {
  if (word === "killed") killed++;
  else failed++;
  console.log(`${word.padEnd(9)} ${mutant.name}: ${mutant.title} (${text})`);
}

function keyOf({ file, test }: Guard): string {
  return `${file}\n${test}`;
}
