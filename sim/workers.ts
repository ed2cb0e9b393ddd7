import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MINUTE_MS } from "@darkmatter/core";
import type { Plan } from "./plan.ts";
import type { Outcome } from "./simulate.ts";

/** Runs plans in processes of their own, so that all processors work and a run that hangs can be ended. */
export interface Workers extends Disposable {
  readonly count: number;
  /** Waits for a free process. Never rejects: one that hangs or dies is a problem. */
  run(plan: Plan): Promise<Outcome>;
}

const HANGS_AFTER_MS = 5 * MINUTE_MS;
const WORKER = join(import.meta.dirname, "children", "seed-worker.ts");

export function startWorkers(count: number): Workers {
  const free: (ChildProcess | undefined)[] = Array.from({ length: count }, () => undefined);
  const waiting: ((child: ChildProcess | undefined) => void)[] = [];
  const all = new Set<ChildProcess>();

  function begin(): ChildProcess {
    const child = fork(WORKER, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    all.add(child);
    child.once("exit", () => all.delete(child));
    return child;
  }

  const take = () =>
    free.length > 0
      ? Promise.resolve(free.pop())
      : new Promise<ChildProcess | undefined>((resolve) => waiting.push(resolve));

  function give(child: ChildProcess | undefined): void {
    const next = waiting.shift();
    if (next) next(child);
    else free.push(child);
  }

  return {
    count,
    async run(plan) {
      const child = (await take()) ?? begin();
      const outcome = await outcomeOf(child, plan);
      if (outcome === undefined) child.kill("SIGKILL");
      give(outcome === undefined ? undefined : child);
      return outcome ?? broken(plan);
    },
    [Symbol.dispose]() {
      for (const child of all) child.kill();
    },
  };
}

async function outcomeOf(child: ChildProcess, plan: Plan): Promise<Outcome | undefined> {
  const over = new AbortController();
  const answered = new Promise<Outcome | undefined>((resolve) => {
    const gone = () => resolve(undefined);
    child.once("message", (outcome) => {
      child.off("exit", gone);
      resolve(outcome as Outcome);
    });
    child.once("exit", gone);
    child.send(plan);
  });
  const late = sleep(HANGS_AFTER_MS, undefined, { signal: over.signal }).catch(() => undefined);
  const outcome = await Promise.race([answered, late]);
  over.abort();
  return outcome ?? undefined;
}

function broken({ seed }: Plan): Outcome {
  const problems = [`broken: seed ${seed} hung, or its process died`];
  return { hash: "", problems, messages: 0, answers: 0, commits: 0, traceLines: 0, virtualMs: 0 };
}
