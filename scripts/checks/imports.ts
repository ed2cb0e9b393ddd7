import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config";

/** Where imports begin: the rooms, and whatever outside them may import one. */
const FOLDERS = ["packages", "scripts", "vectors", "e2e", "kill", "bench", "mutants", "sim"];

/**
 * Follows every import below `root` and answers what breaks the rules of `.dependency-cruiser.cjs`, one
 * sentence each. A module that was not seen is a breach too: the tool passes on what it does not find.
 */
export async function brokenImports(root: string): Promise<{ seen: number; breaches: string[] }> {
  const config = createRequire(import.meta.url)(
    resolve(import.meta.dirname, "../../.dependency-cruiser.cjs"),
  );
  const folders = FOLDERS.filter((folder) => existsSync(join(root, folder)));
  const tsConfig = extractTSConfig(resolve(import.meta.dirname, "../../tsconfig.json"));
  const { forbidden, options } = config;
  const answer = await cruise(
    folders,
    { ...options, baseDir: root, ruleSet: { forbidden, options }, validate: true },
    undefined,
    { tsConfig },
  );
  const { modules, summary } = answer.output as ICruiseResult;
  const seen = new Set(modules.map(({ source }) => source));
  const unseen = typescriptFiles(root).filter((file) => !seen.has(file));
  const reasons = new Map(
    forbidden.map((rule: { name: string; comment: string }) => [rule.name, rule.comment]),
  );
  return {
    seen: [...seen].filter((source) => /^packages\/.*\.ts$/.test(source)).length,
    breaches: [
      ...unseen.map((file) => `${file} was not seen by dependency-cruiser`),
      ...summary.violations.map(
        ({ rule, from, to }) => `${rule.name}: ${from} → ${to}  (${reasons.get(rule.name)})`,
      ),
    ],
  };
}

/** Every TypeScript file below packages/ that git tracks or would track. */
function typescriptFiles(root: string): string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "packages"];
  const files = execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\0");
  return files.filter((file) => file.endsWith(".ts") && existsSync(join(root, file)));
}

if (import.meta.main) {
  const { seen, breaches } = await brokenImports(process.cwd());
  for (const breach of breaches) console.error(breach);
  if (seen === 0) console.error("No module was seen at all.");
  console.log(`${seen} modules seen`);
  process.exit(breaches.length > 0 || seen === 0 ? 1 : 0);
}
