// npm run check [-- --fix]: everything that can be known of the code without running it.
import { resolve } from "node:path";
import { run } from "./run.ts";
import { tallyLine } from "./tally.ts";

const STEP_TIMEOUT_MS = 180_000;

process.chdir(resolve(import.meta.dirname, ".."));
const fix = process.argv.includes("--fix");

const STEPS: Record<string, readonly string[]> = {
  "format and lint": [
    "node_modules/@biomejs/biome/bin/biome",
    "check",
    "--error-on-warnings",
    "--max-diagnostics=50",
    ...(fix ? ["--write"] : []),
  ],
  types: ["node_modules/typescript/bin/tsc", "--noEmit", "--pretty", "false"],
  "import rules": ["scripts/checks/imports.ts"],
  "time, chance and the world behind ports": ["scripts/checks/ports.ts"],
  "dead code": ["node_modules/knip/bin/knip.js", "--no-progress", "--no-config-hints"],
};

async function step(name: string, args: readonly string[]): Promise<boolean> {
  const { code, output, ms } = await run(args, { show: false, timeoutMs: STEP_TIMEOUT_MS });
  const note = output.match(/^\d+ (modules seen|files)$/m)?.[0];
  console.log(
    `${code === 0 ? "ok    " : "FAILED"} ${name}${note ? ` (${note})` : ""}, ${(ms / 1000).toFixed(1)} s`,
  );
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

const results = await Promise.all(Object.entries(STEPS).map(([name, args]) => step(name, args)));
const passed = results.filter(Boolean).length;
console.log(tallyLine({ passed, failed: results.length - passed, skipped: 0 }));
process.exit(passed === results.length ? 0 : 1);
