import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The root of the clone. */
export const root = resolve(import.meta.dirname, "../..");
const program = join(root, "bin", "darkmatter.js");

/** A node's own folder, with a passport; whatever runs from it ends and the folder goes when it is disposed. */
export interface Home extends AsyncDisposable {
  readonly folder: string;
  /** Starts `darkmatter ARGS` there, with other settings than the home's where some are given. */
  start(
    args: readonly string[],
    stdio: StdioOptions,
    others?: Readonly<Record<string, string>>,
  ): ChildProcess;
  /** The database of the node that ran there. */
  database(): string;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();

/** Makes a home that nothing else on this machine knows of; `script` runs in place of the program. */
export function makeHome(settings: Readonly<Record<string, string>>, script = program): Home {
  // Short: the path of a socket may take about a hundred bytes.
  const folder = mkdtempSync(join(tmpdir(), "dmb-"));
  folders.add(folder);
  const passport = join(folder, ".darkmatter", "passport.key");
  mkdirSync(join(folder, ".darkmatter"), { mode: 0o700 });
  writeFileSync(passport, `${newSeed()}\n`, { mode: 0o600 });
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    TMPDIR: folder,
    DARKMATTER_HOME: folder,
    DARKMATTER_PASSPORT: passport,
    DARKMATTER_PORT: "0",
    DARKMATTER_DISCOVERY: "false",
    // Neither this machine's own clients nor a chain that everybody uses; what means one says so.
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_SOLANA_RPC: "http://127.0.0.1:9",
    ...settings,
  };
  const mine = new Set<ChildProcess>();

  return {
    folder,
    start(args, stdio, others = {}) {
      const child = startChild(script, args, { cwd: folder, env: { ...env, ...others }, stdio });
      mine.add(child);
      child.once("exit", () => mine.delete(child));
      return child;
    },
    database() {
      const [agent] = readdirSync(join(folder, "state"));
      if (agent === undefined) throw new Error("No node has run here.");
      return join(folder, "state", agent, "darkmatter.db");
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...mine].map(endChild));
      remove(folder);
    },
  };
}

interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
}

/** Starts a script under this Node; it ends with this process. */
export function startChild(script: string, args: readonly string[], options: ChildOptions): ChildProcess {
  const child = spawn(process.execPath, [...nodeOptions(), script, ...args], options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Options for the programs under measurement, to profile one: `BENCH_NODE_OPTIONS=--cpu-prof`. */
const nodeOptions = () => process.env.BENCH_NODE_OPTIONS?.split(" ").filter(Boolean) ?? [];

/** Ends a child at once and waits until it is gone. */
export function endChild(child: ChildProcess): Promise<void> {
  return new Promise((gone) => {
    if (child.exitCode !== null || child.signalCode !== null) return gone();
    child.once("exit", () => gone());
    // A stopped process is killed all the same.
    child.kill("SIGKILL");
  });
}

function newSeed(): string {
  const { d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return Buffer.from(String(d), "base64url").toString("hex");
}

function remove(folder: string): void {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

function leaveNothing(): void {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) remove(folder);
}

process.once("exit", leaveNothing);
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.once(signal, () => process.exit(code));
}
