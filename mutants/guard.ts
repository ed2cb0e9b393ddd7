import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../scripts/run.ts";
import type { Mutant } from "./patch.ts";
import type { TreeCopy } from "./tree-copy.ts";

/** A named test. Several mutants may share one. */
export type Guard = Pick<Mutant, "file" | "test">;

/** What became of a named test: of a parametrised one, red if any part was. */
export type Colour =
  | { readonly kind: "green" }
  | { readonly kind: "red"; readonly reason: string }
  | { readonly kind: "not run"; readonly reason: string };

export interface GuardRun {
  readonly env: NodeJS.ProcessEnv;
  readonly testTimeoutMs: number;
  readonly timeoutMs: number;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

let reports = 0;

/** Runs named tests in a copy, all in one process; the colour of each, in their order. */
export async function runGuards(
  copy: TreeCopy,
  guards: readonly Guard[],
  options: GuardRun,
): Promise<Colour[]> {
  if (guards.length === 0) return [];
  const reportPath = join(copy.folder, `report-${++reports}.json`);
  const { output } = await run(
    [
      join(copy.folder, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=json",
      // As Node loads it and keeps it compiled, by what is in a file: one that a fault has changed is another.
      "--experimental.viteModuleRunner=false",
      `--outputFile=${reportPath}`,
      `--testTimeout=${options.testTimeoutMs}`,
      `--testNamePattern=${[...new Set(guards.map(({ test }) => escaped(test)))].join("|")}`,
      ...new Set(guards.map(({ file }) => file)),
    ],
    { show: false, timeoutMs: options.timeoutMs, env: options.env, cwd: copy.folder },
  );
  if (!existsSync(reportPath)) {
    const reason = `the tests ended without a report: ${output.trim().slice(-300)}`;
    return guards.map(() => ({ kind: "not run", reason }));
  }
  const report = JSON.parse(readFileSync(reportPath, "utf8")) as Report;
  return guards.map((guard) => colourOf(guard, report));
}

function colourOf({ file, test }: Guard, report: Report): Colour {
  const suite = report.testResults.find(({ name }) => name.endsWith(`/${file}`));
  if (!suite) return { kind: "not run", reason: `there is no ${file}` };
  const named = suite.assertionResults.filter(({ fullName }) => fullName.includes(test));
  const ran = named.filter(({ status }) => status === "passed" || status === "failed");
  const failed = ran.find(({ status }) => status === "failed");
  if (failed) return { kind: "red", reason: firstLine(failed.failureMessages?.[0] ?? "failed") };
  if (ran.length > 0) return { kind: "green" };
  if (named.length > 0) return { kind: "not run", reason: `"${test}" was skipped` };
  const why = suite.message ? `: ${firstLine(suite.message)}` : "";
  return { kind: "not run", reason: `${file} has no test "${test}"${why}` };
}

const firstLine = (text: string) => text.split("\n", 1)[0]?.trim().slice(0, 160) ?? "";

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
