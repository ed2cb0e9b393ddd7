import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommandLine } from "@darkmatter/surface";
import { type RunningLedgerServer, startLedgerServer } from "../adapters/ledger-server.ts";
import { commandTable } from "../commands/table.ts";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";

/** What a command printed, and its exit code. */
export interface Typed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** An empty folder in which somebody types commands, with no variable set but those given. */
export interface AtFolder extends Disposable {
  readonly folder: string;
  readonly env: Record<string, string>;
  typed(...argv: string[]): Promise<Typed>;
  /** The same until somebody presses Ctrl-C. */
  typedUntil(signal: AbortSignal, ...argv: string[]): Promise<Typed>;
  /** What it says under `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
  json(...argv: string[]): Promise<{ readonly code: number; readonly said: any; readonly err: string }>;
  read(name: string): string;
  write(name: string, text: string): void;
}

/** Commands run in this process, one at a time, with its folder and its variables changed meanwhile. */
export function atFolder(): AtFolder {
  const folder = mkdtempSync(join(tmpdir(), "dm-typed-"));
  const env: Record<string, string> = {};
  const typedUntil = (signal: AbortSignal, ...argv: string[]) => typedThere(folder, env, argv, signal);
  const typed = (...argv: string[]) => typedUntil(new AbortController().signal, ...argv);
  return {
    folder,
    env,
    typed,
    typedUntil,
    async json(...argv) {
      const { code, out, err } = await typed(...argv, "--json");
      return { code, said: JSON.parse(out), err };
    },
    read: (name) => readFileSync(join(folder, name), "utf8"),
    write: (name, text) => writeFileSync(join(folder, name), text),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function typedThere(
  folder: string,
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<Typed> {
  const before = { cwd: process.cwd(), env: process.env };
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("DARKMATTER_"));
  process.env = { ...Object.fromEntries(kept), DARKMATTER_HOME: join(folder, "home"), ...env };
  process.chdir(folder);
  const printed = { out: "", err: "" };
  try {
    const code = await runCommandLine({
      name: "darkmatter",
      summary: "",
      version: "0",
      commands: commandTable({}),
      argv,
      streams: {
        stdout: (text) => {
          printed.out += text;
        },
        stderr: (text) => {
          printed.err += text;
        },
      },
      signal,
    });
    return { code, ...printed };
  } finally {
    process.chdir(before.cwd);
    process.env = before.env;
  }
}

/** A ledger server as `darkmatter serve ledger` starts it, on a file and on loopback. */
export async function realLedgerServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningLedgerServer> {
  const home = mkdtempSync(join(tmpdir(), "dm-ledger-"));
  const server = await startLedgerServer({
    home,
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: true,
    publish: undefined,
    settings: parseLedgerServerSettings({
      DARKMATTER_LEDGER_LIMIT_CALLS: "-1",
      DARKMATTER_LEDGER_LIMIT_PROVISIONS: "-1",
      ...settings,
    }),
  });
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
