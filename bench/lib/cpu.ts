import { readFileSync } from "node:fs";

/** The kernel counts in these, whatever its own tick is (proc(5), USER_HZ). */
const TICK_US = 10_000;

/** What a process has used of all processors, in microseconds; `undefined` where the system does not tell. */
export function cpuUs(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields && (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Memory a process holds, in bytes; `undefined` where the system does not tell. */
export function residentBytes(pid: number): number | undefined {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "");
  return found ? Number(found[1]) * 1024 : undefined;
}

function read(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  return readFileSync(path, "utf8");
}
