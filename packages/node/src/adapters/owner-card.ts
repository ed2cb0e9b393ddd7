import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Who owns a state and where it listens. Written by the owner, read by people and by messages to them. */
export interface OwnerCard {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  /** Where its HTTP server listens, and where a successor listens again so that peers find it; 0 before it does. */
  readonly host: string;
  readonly port: number;
}

export function writeOwnerCard(path: string, card: OwnerCard): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(card)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** The card of the present or the last owner; `undefined` when there is none or it is not one. */
export function readOwnerCard(path: string): OwnerCard | undefined {
  try {
    const card = JSON.parse(readFileSync(path, "utf8")) as Partial<OwnerCard>;
    return Number.isSafeInteger(card.pid) && Number.isSafeInteger(card.port)
      ? (card as OwnerCard)
      : undefined;
  } catch {
    // No card decides nothing: a message names no process, or a node looks for a port afresh.
    return undefined;
  }
}

/** What the system says about a process; `unknown` where there is no way to ask without starting another. */
export function processState(pid: number): "running" | "stopped" | "gone" | "unknown" {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "gone";
  }
  if (process.platform !== "linux") return "unknown";
  try {
    // `pid (name) S …`; the name may hold brackets, so the state is looked for after the last one.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    return state === "T" || state === "t" ? "stopped" : "running";
  } catch {
    return "gone";
  }
}
