import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Ran, runProgram } from "../run-program.ts";

const RUN_MAX_MS = 30_000;

interface Run extends Ran {
  /** What was printed, without the empty line at the end. */
  readonly lines: readonly string[];
}

/** A folder with a copy of one script and what it is asked about: nothing of ours lies beside it. */
export interface StrangersFolder extends Disposable {
  files(): readonly string[];
  /** Puts a file there; its name. */
  keep(name: string, content: string | Uint8Array): string;
  run(...words: readonly string[]): Promise<Run>;
}

export function strangersFolder(script: string): StrangersFolder {
  const folder = mkdtempSync(join(tmpdir(), "dms-"));
  const name = basename(script);
  copyFileSync(script, join(folder, name));
  // An environment of no one's: no home, no module path, and a terminal that knows ASCII only.
  const env = { PATH: process.env.PATH, LC_ALL: "C", PYTHONDONTWRITEBYTECODE: "1" };

  return {
    files: () => readdirSync(folder).sort(),
    keep(file, content) {
      writeFileSync(join(folder, file), content);
      return file;
    },
    async run(...words) {
      const options = { cwd: folder, env, timeoutMs: RUN_MAX_MS };
      const ran = await runProgram("python3", [name, ...words], options);
      return { ...ran, lines: ran.stdout.trimEnd().split("\n") };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
