import { execFile } from "node:child_process";
import { type Program, startProgram, type TestHome } from "./program.ts";

const QUIET = { DARKMATTER_DISCOVERY: "false", DARKMATTER_PASSPHRASE: "correct horse battery" };
const REAL_MAIN = new URL("./real-main.ts", import.meta.url).pathname;

/** The program as people have it: with mesh and ledger. */
export function real(
  home: TestHome,
  argv: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Program {
  return startProgram(home, argv, { ...QUIET, ...settings }, REAL_MAIN);
}

/** What one command says under `--json`, and its exit code. */
export async function command(home: TestHome, ...argv: string[]) {
  await using program = real(home, [...argv, "--json"]);
  const code = await program.exited;
  return { code, said: JSON.parse(program.stdoutText()) };
}

/** What one command prints for a person who stands in the home's temporary folder, and its exit code. */
export function typed(
  home: TestHome,
  ...argv: string[]
): Promise<{ code: number; out: string; err: string }> {
  const options = {
    cwd: home.temporary,
    env: {
      ...QUIET,
      PATH: process.env.PATH,
      TMPDIR: home.temporary,
      DARKMATTER_HOME: home.home,
      DARKMATTER_AGENT_ENABLED: "false",
      DARKMATTER_SOLANA_RPC: "http://127.0.0.1:9",
      DARKMATTER_PASSPORT: home.passport,
      DARKMATTER_PORT: "0",
    },
  };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [REAL_MAIN, ...argv], options, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
    child.stdin?.end();
  });
}
