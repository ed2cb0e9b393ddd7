import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { strangersFolder } from "./folder.ts";

export const VERIFIER = join(import.meta.dirname, "..", "..", "interop", "verify.py");

interface PhaseSaid {
  readonly phase: string;
  readonly status: string;
}

/** Each phase with its status, in order: what two verifiers have to agree on. */
export const statusesOf = (phases: readonly PhaseSaid[]) =>
  phases.map(({ phase, status }) => `${phase}: ${status}`);

/** The same by the verifier in Python, of each file, in a folder where nothing else lies. */
export async function strangersStatuses(paths: readonly string[]): Promise<readonly (readonly string[])[]> {
  using folder = strangersFolder(VERIFIER);
  const names = paths.map((path) => folder.keep(basename(path), readFileSync(path)));
  const { lines, stderr } = await folder.run("--json", ...names);
  if (stderr) throw new Error(stderr);
  return lines.map((line) => statusesOf((JSON.parse(line) as { phases: PhaseSaid[] }).phases));
}
