// npm run vectors [-- AREA…]: the language-neutral cases of vectors/AREA/*.json against our code. Cases of the same
// shape lie elsewhere: DARKMATTER_VECTORS=DIR reads DIR/AREA/*.json. `--short` changes nothing: it takes seconds.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Json } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { tallyLine } from "../scripts/tally.ts";
import { LEDGER_KINDS } from "./runner/ledger/kinds.ts";
import { MESH_KINDS } from "./runner/mesh/kinds.ts";
import type { Kind } from "./runner/outcome.ts";
import { proofKinds } from "./runner/proof/kinds.ts";

interface Area {
  readonly kinds: Readonly<Record<string, Kind>>;
  /** Files that are not run yet, and what layer they wait for. */
  readonly later: Readonly<Record<string, string>>;
}

const AREAS: Readonly<Record<string, Area>> = {
  mesh: { kinds: MESH_KINDS, later: {} },
  ledger: { kinds: LEDGER_KINDS, later: {} },
  proof: { kinds: proofKinds(createVerifier({ threads: "never" }).verify), later: {} },
};

const tally = { passed: 0, failed: 0, skipped: 0 };

function skip(name: string, reason: string): void {
  tally.skipped++;
  console.log(`skip ${name}: not run yet, comes with a later layer: ${reason}`);
}

async function runFile(path: string, name: string, kind: Kind): Promise<void> {
  const before = { ...tally };
  const document = JSON.parse(readFileSync(path, "utf8")) as Json;
  for await (const outcome of kind(document)) {
    if (outcome.problems.length === 0) tally.passed++;
    else {
      tally.failed++;
      console.log(`FAILED ${name} "${outcome.name}"`);
      for (const problem of outcome.problems) console.log(`  ${problem.replaceAll("\n", "\n    ")}`);
    }
  }
  const ran = tally.passed + tally.failed - before.passed - before.failed;
  const failed = tally.failed - before.failed;
  console.log(`${name}: ${ran} cases ran${failed > 0 ? `, ${failed} failed` : ""}`);
}

async function runArea(folder: string, areaName: string): Promise<void> {
  const area = AREAS[areaName];
  if (!area) return skip(areaName, `the ${areaName}`);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length));
  for (const [name, kind] of Object.entries(area.kinds)) {
    const label = `${areaName}/${name}`;
    if (!names.includes(name)) console.log(`${label}: no such file there, no cases ran`);
    else {
      await runFile(join(folder, `${name}.json`), label, kind).catch((error: Error) => {
        tally.failed++;
        console.log(`FAILED ${label}: ${error.stack}`);
      });
    }
  }
  for (const name of names.filter((one) => !(one in area.kinds))) {
    skip(`${areaName}/${name}`, area.later[name] ?? "no layer here knows this file");
  }
}

const root = process.env.DARKMATTER_VECTORS
  ? resolve(process.env.DARKMATTER_VECTORS)
  : resolve(import.meta.dirname);
const isArea = (name: string) => statSync(join(root, name)).isDirectory() && name !== "runner";
const there = existsSync(root) ? readdirSync(root).filter(isArea).sort() : [];
const asked = process.argv.slice(2).filter((argument) => argument !== "--short");
const unknown = asked.filter((name) => !there.includes(name));
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(", ")} in ${root}; there are: ${there.join(", ") || "none"}`);
  process.exit(2);
}

for (const name of asked.length > 0 ? asked : there) await runArea(join(root, name), name);

if (tally.passed + tally.failed === 0) {
  tally.failed++;
  console.log(`FAILED: there was no case to run in ${root}`);
}
console.log(tallyLine(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;
