import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";

export interface RunOptions {
  /** Shows the output while it comes, each line behind a text where one is given; it is always kept. */
  readonly show: boolean | string;
  /** After this many milliseconds the program and all it started are killed. */
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Where the program runs; here unless given. */
  readonly cwd?: string;
}

export interface Ended {
  /** 0 if it did what it should. */
  readonly code: number;
  /** stdout and stderr as they came. */
  readonly output: string;
  readonly ms: number;
}

const running = new Set<ChildProcess>();

/** Runs a program under this Node in a process group of its own, so that whatever it starts ends with it. */
export function run(args: readonly string[], { show, timeoutMs, env, cwd }: RunOptions): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env,
    cwd,
  });
  running.add(child);
  let output = "";
  let shown = 0;
  const take = (text: string): void => {
    output += text;
    if (show === true) process.stdout.write(text);
    if (typeof show === "string") showLines(output.lastIndexOf("\n") + 1);
  };
  const showLines = (end: number): void => {
    for (const line of output.slice(shown, end).split("\n").slice(0, -1)) console.log(`${show}${line}`);
    shown = Math.max(shown, end);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const timer = setTimeout(() => {
    take(`\nStopped: it had not ended after ${timeoutMs / 1000} s.\n`);
    endGroup(child, "SIGKILL");
  }, timeoutMs);
  return new Promise((resolve) => {
    const end = (code: number): void => {
      clearTimeout(timer);
      running.delete(child);
      endGroup(child, "SIGKILL"); // what it left behind
      resolve({ code, output, ms: performance.now() - started });
    };
    child.on("error", (error) => {
      take(`${error.message}\n`);
      end(1);
    });
    child.on("exit", (code, signal) => {
      // A grandchild may hold the pipes open: what has not come soon after the end is not waited for.
      const late = setTimeout(() => end(code ?? exitCodeOf(signal)), 500);
      child.on("close", () => {
        clearTimeout(late);
        end(code ?? exitCodeOf(signal));
      });
    });
  });
}

function exitCodeOf(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch (error) {
    // EPERM is how macOS says that only zombies are left in the group.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    for (const child of running) endGroup(child, "SIGKILL");
    process.exit(exitCodeOf(signal));
  });
}
