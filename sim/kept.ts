import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Plan } from "./plan.ts";

/** A plan that once went wrong, and must not again. */
export interface KeptPlan {
  readonly name: string;
  /** What went wrong, as it was found. */
  readonly found: readonly string[];
  readonly plan: Plan;
}

const FOLDER = join(import.meta.dirname, "seeds");
const FOUND_MAX = 5;

export function keptPlans(): readonly KeptPlan[] {
  mkdirSync(FOLDER, { recursive: true });
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => readPlan(join(FOLDER, file)));
}

export function readPlan(path: string): KeptPlan {
  const { found, plan } = JSON.parse(readFileSync(path, "utf8")) as Omit<KeptPlan, "name">;
  return { name: basename(path, ".json"), found, plan };
}

/** Keeps a plan for the tests; where it lies, from the root. */
export function keepPlan(plan: Plan, problems: readonly string[]): string {
  const file = `seed-${plan.seed}.json`;
  mkdirSync(FOLDER, { recursive: true });
  const kept = { found: problems.slice(0, FOUND_MAX), plan };
  writeFileSync(join(FOLDER, file), `${JSON.stringify(kept, null, 2)}\n`);
  return `sim/seeds/${file}`;
}
