import { spawn } from "node:child_process";
import { constants, readFileSync } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessEnd, type Processes, type ProcessSpec, TAIL_CHARACTERS_MAX } from "@darkmatter/mesh";
import { isInGroups, parentsOf, processesWith, variableOf } from "./process-tree.ts";

/** How often a group that was asked to end is looked at. */
const LOOK_MS = 50;
/** Between asking a leftover to end and killing it. */
const LEFTOVER_GRACE_MS = 5000;

/** The system's processes, each the leader of a group of its own. */
export function nodeProcesses(env: NodeJS.ProcessEnv = process.env): Processes {
  return {
    start: startProcess,
    find: (command) => findProgram(command, env),
    async terminateLeftover({ pid, mark }) {
      // Whoever has the number now may be anybody: only the very same process is ended, and with it its group.
      if (markOf(pid) !== mark) return false;
      await endGroup(pid, LEFTOVER_GRACE_MS, "SIGTERM");
      return true;
    },
    async terminateMarked(variable, value) {
      const pids = processesWith(variable, value);
      await Promise.all(pids.map((pid) => endMarked(pid, variable, value)));
      return pids.length > 0;
    },
    isOf: isInGroups,
  };
}

function startProcess({ command, args, cwd, env, stdin }: ProcessSpec): ReturnType<Processes["start"]> {
  const ended = Promise.withResolvers<ProcessEnd>();
  let tail = "";
  let terminating: Promise<void> | undefined;
  const unstarted = (error: unknown) =>
    ended.resolve({ kind: "not started", reason: (error as NodeJS.ErrnoException).code ?? "unknown" });

  let child: ReturnType<typeof spawn> | undefined;
  try {
    child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      shell: false,
      windowsHide: true,
      stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
  } catch (error) {
    // An argument or a variable that no program can be given.
    unstarted(error);
  }
  const { pid } = child ?? {};
  const hear = (chunk: Buffer) => {
    tail = (tail + chunk.toString("utf8")).slice(-TAIL_CHARACTERS_MAX);
  };
  child?.stdout?.on("data", hear);
  child?.stderr?.on("data", hear);
  child?.on("error", unstarted);
  child?.on("exit", (code, signal) => {
    // What it started and left behind has nobody to work for.
    void terminate(0);
    // Whoever inherited the pipes keeps nothing of ours open.
    child.stdout?.destroy();
    child.stderr?.destroy();
    ended.resolve(code === null ? { kind: "killed", signal: signal ?? "unknown" } : { kind: "exited", code });
  });
  // It need not read what it is given.
  child?.stdin?.on("error", () => undefined);
  if (stdin !== undefined) child?.stdin?.end(stdin);

  async function terminate(graceMs: number): Promise<void> {
    if (pid === undefined) return;
    if (graceMs === 0) signalGroup(pid, "SIGKILL");
    terminating ??= endGroup(pid, graceMs, "SIGTERM");
    await terminating;
    await ended.promise;
  }

  return {
    pid,
    mark: pid === undefined ? undefined : markOf(pid),
    ended: ended.promise,
    tail: () => tail,
    terminate,
  };
}

/** Whether anybody of the group was there to hear it. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    // What is there and not ours (EPERM) cannot have been started by us.
    if (["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

async function endGroup(pid: number, graceMs: number, first: NodeJS.Signals): Promise<void> {
  const until = performance.now() + graceMs;
  if (!signalGroup(pid, graceMs === 0 ? "SIGKILL" : first)) return;
  while (performance.now() < until) {
    await sleep(LOOK_MS);
    if (!signalGroup(pid, 0)) return;
  }
  signalGroup(pid, "SIGKILL");
}

/** A process by itself: it may have left the group it was started in. What it leads is ended with it. */
async function endMarked(pid: number, variable: string, value: string): Promise<void> {
  // The number may be another's by now.
  if (variableOf(pid, variable) !== value) return;
  if (parentsOf(pid)?.group === pid) return endGroup(pid, LEFTOVER_GRACE_MS, "SIGTERM");
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // Gone meanwhile, or not ours to end.
    if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** `<boot> <start>`: the moment a process began, in the system's own count; no other process has both. */
function markOf(pid: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    return markFrom(boot, readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // It has ended, or the system does not say: then nothing is ever taken for it.
    return undefined;
  }
}

/** Field 22 of proc(5)'s stat; the name before it may hold anything, brackets too. */
function markFrom(boot: string, line: string): string | undefined {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return fields[19] === undefined ? undefined : `${boot.trim()} ${fields[19]}`;
}

async function findProgram(command: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (command.includes("/") || isAbsolute(command)) {
    const path = resolve(command);
    return (await isProgram(path)) ? path : undefined;
  }
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    // An empty or relative entry means whatever folder one happens to be in.
    if (!isAbsolute(folder)) continue;
    const path = join(folder, command);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Not there, or not for us to run.
    return false;
  }
}
