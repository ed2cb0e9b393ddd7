import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Mutant } from "./patch.ts";

/** The scope of our own packages: their links must lead into the copy, or the tests would run the originals. */
const OWN_SCOPE = "@darkmatter";

/** A copy of the code as it lies in the working tree, committed or not, that may be broken at will. */
export interface TreeCopy {
  readonly folder: string;
  /** Why a patch cannot be applied; `undefined` when it can. */
  refusal(mutant: Mutant): string | undefined;
  /** Applies a patch that `refusal` has nothing against; undone when disposed. */
  mutate(mutant: Mutant): Disposable;
}

/** Copies a checkout into a folder that does not exist yet. Installed packages are linked. */
export function copyTree(root: string, folder: string): TreeCopy {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const path of listed.split("\0")) {
    const from = join(root, path);
    // The index may name a file that was removed and not committed yet.
    if (path === "" || !existsSync(from) || !lstatSync(from).isFile()) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(from, join(folder, path));
  }
  linkModules(root, folder);

  // Patches hold little or no context: their place is found by the lines they remove, so that the code around a
  // fault may change.
  const apply = (mutant: Mutant, ...options: string[]) =>
    execFileSync(
      "git",
      ["apply", "--unidiff-zero", "-C1", "--whitespace=nowarn", ...options, mutant.patchPath],
      {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        // A repository further up must not be taken for the one the paths belong to.
        env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(folder) },
      },
    );

  return {
    folder,
    refusal(mutant) {
      try {
        apply(mutant, "--check");
        return undefined;
      } catch (error) {
        return String((error as { stderr?: string }).stderr ?? error).trim();
      }
    },
    mutate(mutant) {
      const before = mutant.changes.map(
        (path) => [join(folder, path), readFileSync(join(folder, path))] as const,
      );
      apply(mutant);
      return {
        [Symbol.dispose]() {
          for (const [path, bytes] of before) writeFileSync(path, bytes);
        },
      };
    },
  };
}

function linkModules(root: string, folder: string): void {
  const modules = join(root, "node_modules");
  const copied = join(folder, "node_modules");
  mkdirSync(join(copied, OWN_SCOPE), { recursive: true });
  for (const name of readdirSync(modules)) {
    if (name !== OWN_SCOPE && !name.startsWith(".")) symlinkSync(join(modules, name), join(copied, name));
  }
  for (const name of readdirSync(join(folder, "packages"))) {
    symlinkSync(join(folder, "packages", name), join(copied, OWN_SCOPE, name));
    const own = join(root, "packages", name, "node_modules");
    if (existsSync(own)) symlinkSync(own, join(folder, "packages", name, "node_modules"));
  }
}
