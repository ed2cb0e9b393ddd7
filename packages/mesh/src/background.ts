import { hasCode, reasonOf } from "@darkmatter/core";
import type { Report } from "./ports.ts";

/** Work that follows an act: counted, reported when it fails, waited for at a stop. */
export interface Background {
  /** Starts `work` now. `task` names it in the log. Beyond `TASKS_MAX` at once, work waits its turn. */
  start(task: string, work: () => Promise<void>): void;
  /** Resolves when nothing is running or waiting. */
  idle(): Promise<void>;
}

/** Tasks at once; the rest wait. Enough to keep every connection busy, few enough to bound sockets. */
const TASKS_MAX = 64;
/** Tasks waiting; beyond it the oldest is dropped, and said so. */
const WAITING_MAX = 20_000;

export function createBackground(report: Report): Background {
  const waiting: Array<{ task: string; work: () => Promise<void> }> = [];
  let first = 0;
  let running = 0;
  let idlers: Array<() => void> = [];

  function settle(): void {
    running--;
    const next = waiting[first];
    if (next) {
      first++;
      // Shift in bulk: one by one costs a copy of the whole queue.
      if (first > 1024 && first * 2 > waiting.length) {
        waiting.splice(0, first);
        first = 0;
      }
      run(next.task, next.work);
    } else if (running === 0) {
      const ready = idlers;
      idlers = [];
      for (const resolve of ready) resolve();
    }
  }

  function run(task: string, work: () => Promise<void>): void {
    running++;
    work()
      .catch((error: unknown) => {
        if (!hasCode(error, "ABORTED")) report("background.failed", { task, reason: reasonOf(error) });
      })
      .finally(settle);
  }

  return {
    start(task, work) {
      if (running < TASKS_MAX) return run(task, work);
      if (waiting.length - first >= WAITING_MAX) {
        first++;
        report("background.dropped", { task });
      }
      waiting.push({ task, work });
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  };
}
