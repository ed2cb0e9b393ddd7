import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

/** No process is deeper in the tree of them: where its parents go round, looking ends. */
const DEPTH_MAX = 64;
const PS_TIMEOUT_MS = 2000;

interface Parents {
  readonly parent: number;
  /** Process id of the leader of its group. */
  readonly group: number;
}

/** By proc(5), fields 4 and 5 of stat; `undefined` for one that is not there, or where the system does not say. */
export function parentsOf(pid: number): Parents | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, parent, group] = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(parent), group: Number(group) };
  } catch {
    // Gone, or no Linux.
    return undefined;
  }
}

/** Whether a process is in one of these groups, or descends from one that is. `false` where the system does not say. */
export async function isInGroups(pid: number, leaders: readonly number[]): Promise<boolean> {
  const look = process.platform === "linux" ? parentsOf : await allParents();
  for (const { group, at } of chainOf(pid, look))
    if (leaders.includes(group) || leaders.includes(at)) return true;
  return false;
}

/**
 * A variable of the environment of this process or, where a program between did not pass it on, of one this process
 * descends from. Read on Linux alone.
 */
export function inheritedVariable(name: string): string | undefined {
  const own = process.env[name];
  if (own) return own;
  for (const { at, group } of chainOf(process.pid, parentsOf)) {
    // Whoever was between may have ended; who leads its group need not have.
    const found = variableOf(at, name) ?? variableOf(group, name);
    if (found) return found;
  }
  return undefined;
}

/** Processes of this user that were started with this in their environment. None where the system does not say. */
export function processesWith(name: string, value: string): number[] {
  if (process.platform !== "linux") return [];
  return processIds().filter((pid) => pid !== process.pid && variableOf(pid, name) === value);
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .filter((entry) => /^[0-9]+$/.test(entry))
      .map(Number);
  } catch {
    // A Linux without it does not say.
    return [];
  }
}

/** As the process was started with it: what it did to its environment since is not seen. */
export function variableOf(pid: number, name: string): string | undefined {
  try {
    const all = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return all.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch {
    // Another user's, gone, or no Linux.
    return undefined;
  }
}

/** A process and those it descends from, nearest first, without the first of all. */
function* chainOf(pid: number, look: (pid: number) => Parents | undefined) {
  for (let at = pid, depth = 0; at > 1 && depth < DEPTH_MAX; depth++) {
    const found = look(at);
    if (!found) return;
    yield { at, group: found.group };
    at = found.parent;
  }
}

async function allParents(): Promise<(pid: number) => Parents | undefined> {
  const all = new Map<number, Parents>();
  try {
    const list = ["-A", "-o", "pid=,ppid=,pgid="];
    const { stdout } = await promisify(execFile)("ps", list, { timeout: PS_TIMEOUT_MS });
    for (const line of stdout.split("\n")) {
      const [pid = 0, parent = 0, group = 0] = line.trim().split(/ +/).map(Number);
      all.set(pid, { parent, group });
    }
  } catch {
    // A system without it does not say.
  }
  return (pid) => all.get(pid);
}
