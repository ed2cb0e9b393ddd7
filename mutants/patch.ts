import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A fault to put into a copy of the code, and the test that must notice it. */
export interface Mutant {
  readonly name: string;
  /** Absolute. */
  readonly patchPath: string;
  /** What the fault is, in one sentence. */
  readonly title: string;
  /** The test file, relative to the root. */
  readonly file: string;
  /** The test's title, or what all titles of a parametrised test share. */
  readonly test: string;
  /** What would happen to a user. */
  readonly why: string;
  /** Whether a short round runs it. */
  readonly quick: boolean;
  /** The files the patch changes, relative to the root. */
  readonly changes: readonly string[];
}

/** All patches of a folder, by name. Throws for one whose header is not complete. */
export function readMutants(folder: string): Mutant[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".patch"));
  return files.sort().map((name) => {
    const patchPath = join(folder, name);
    return parseMutant(name.slice(0, -".patch".length), patchPath, readFileSync(patchPath, "utf8"));
  });
}

function parseMutant(name: string, patchPath: string, text: string): Mutant {
  const [header = ""] = text.split(/^--- /m, 1);
  const field = (key: string) => header.match(new RegExp(`^${key}: (.+)$`, "m"))?.[1]?.trim() ?? "";
  const mutant = {
    name,
    patchPath,
    title: header.split("\n", 1)[0]?.trim() ?? "",
    file: field("File"),
    test: field("Test"),
    why: field("Why"),
    quick: field("Quick") === "yes",
    changes: [...text.matchAll(/^\+\+\+ b\/(\S+)/gm)].map(([, path]) => path ?? ""),
  };
  const { title, file, test, why, changes } = mutant;
  if (!title || !file || !test || !why || changes.length === 0) {
    throw new Error(
      `${name}.patch must begin with a title and the lines File:, Test: and Why:, then a diff.`,
    );
  }
  return mutant;
}
