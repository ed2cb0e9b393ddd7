import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { until, within } from "./checks.ts";

export const PROGRAM = resolve(import.meta.dirname, "../bin/darkmatter.js");

const START_MS = 30_000;
const STOP_MS = 5000;
const COMMAND_MS = 15_000;
/** Below the range systems take free ports from, so that nobody gets one between our look and the node's start. */
const PORTS_FROM = 20_000;
const PORTS_TO = 32_000;

/** An agent's place on this machine: a project folder and a home of its own, and the environment to start in. */
export interface Home {
  readonly name: string;
  readonly project: string;
  readonly home: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  /** Put before the program: the way into a network namespace. */
  readonly enter?: readonly string[] | undefined;
}

/** A node run by `darkmatter up`. */
export interface NodeProcess {
  readonly home: Home;
  readonly url: string;
  readonly agentId: string;
  readonly pid: number;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Everything one run starts, in one folder. Nothing of it outlives the run, however that ends. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  home(name: string, port: number, env?: Readonly<Record<string, string>>): Home;
  up(home: Home, ...options: readonly string[]): Promise<NodeProcess>;
  /** Any other use of the program, with its pipes; ended with the world. */
  start(home: Home, argv: readonly string[]): ChildProcess;
  /** Runs a command to its end; its result as JSON. */
  command(home: Home, ...argv: readonly string[]): Promise<CommandResult>;
  /** Ends a process that somebody else started for us with the world; call the answer when it has ended. */
  adopt(pid: number): () => void;
  /** Every process that ran in this world and still does. */
  living(): number[];
  /** Sockets that lie in the folder. */
  sockets(): string[];
}

export interface CommandResult {
  readonly code: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: results are looked into by checks
  readonly json: any;
  readonly stderr: string;
}

export function createWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), "dme-"));
  const running = new Set<number>();
  const everStarted = new Set<number>();

  const killAll = () => {
    for (const pid of running) end(pid);
    running.clear();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  const release = endWithRunner(killAll);

  const world: World = {
    folder,
    home(name, port, env = {}) {
      const [project, home] = [join(folder, name, "p"), join(folder, name, "h")];
      for (const path of [project, home]) mkdirSync(path, { recursive: true });
      return { name, project, home, port, env: { ...environment(folder, name, home, port), ...env } };
    },

    start(home, argv) {
      const [file = "", ...args] = [...(home.enter ?? []), process.execPath, PROGRAM, ...argv];
      const child = spawn(file, args, {
        cwd: home.project,
        // The fourth pipe is a lifeline: a node stops when this runner is gone, however it went.
        stdio: ["pipe", "pipe", "pipe", "pipe"],
        env: { ...home.env, DARKMATTER_LIFELINE: "3" },
      });
      const forget = world.adopt(child.pid as number);
      child.on("exit", forget);
      child.stdin?.on("error", () => undefined);
      return child;
    },

    async up(home, ...options) {
      const child = world.start(home, ["up", "--json", ...options]);
      const { url, agent_id: agentId } = await firstAnswer(child);
      const exited = new Promise<void>((done) => child.on("exit", () => done()));
      const stop = async (signal: NodeJS.Signals) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill(signal);
        await within(STOP_MS, exited);
      };
      return {
        home,
        url,
        agentId,
        pid: child.pid as number,
        kill: () => stop("SIGKILL"),
        stop: () => stop("SIGTERM"),
      };
    },

    async command(home, ...argv) {
      const child = world.start(home, [...argv, "--json"]);
      const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
      child.stdin?.end();
      const code = await within(COMMAND_MS, new Promise<number | null>((done) => child.on("close", done)));
      const text = await stdout;
      return { code, json: text.trim() === "" ? undefined : JSON.parse(text), stderr: await stderr };
    },

    adopt(pid) {
      running.add(pid);
      everStarted.add(pid);
      return () => running.delete(pid);
    },

    living: () => [...everStarted].filter(isAlive),

    sockets: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isSocket())
        .map((entry) => join(entry.parentPath, entry.name)),

    async [Symbol.asyncDispose]() {
      killAll();
      release();
    },
  };
  return world;
}

/** Nothing of the user's own set-up, and nowhere to leave anything but in the world's folder. */
function environment(folder: string, name: string, home: string, port: number): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: join(folder, name),
    TMPDIR: folder,
    NO_COLOR: "1",
    DARKMATTER_HOME: home,
    DARKMATTER_DISPLAY_NAME: name,
    DARKMATTER_PORT: String(port),
    DARKMATTER_DISCOVERY: "false",
    // Neither this machine's own clients nor a chain that everybody uses; a suite that means one says so.
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_SOLANA_RPC: "http://127.0.0.1:9",
  };
}

/** Ports free just now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1000) throw new Error("there are no free ports");
    const port = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

async function firstAnswer(child: ChildProcess): Promise<{ url: string; agent_id: string }> {
  let complaint = "";
  child.stderr?.on("data", (text) => (complaint += text));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const first = new Promise<string>((done, failed) => {
    lines.once("line", done);
    child.once("exit", (code) => failed(new Error(`the node ended with ${code}: ${complaint.trim()}`)));
  });
  return JSON.parse(await within(START_MS, first));
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

function end(pid: number): void {
  for (const signal of ["SIGKILL", "SIGCONT"] as const) send(pid, signal);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Whether a process exists and is more than an exit code nobody has fetched yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    // No such process, or it went while we looked.
    return false;
  }
}

export const gone = (pid: number, timeoutMs = STOP_MS) =>
  until(`process ${pid} ends`, () => !isAlive(pid), timeoutMs);

/** Runs `act` when this process is told to end, or ends by itself. */
function endWithRunner(act: () => void): () => void {
  const bySignal = (signal: NodeJS.Signals) => {
    act();
    process.exit(128 + constants.signals[signal]);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, bySignal);
  process.on("exit", act);
  return () => {
    for (const signal of signals) process.off(signal, bySignal);
    process.off("exit", act);
  };
}
