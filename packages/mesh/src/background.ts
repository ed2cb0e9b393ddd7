import { hasCode, reasonOf } from "@darkmatter/core";
import { actingAs } from "@darkmatter/store";
import type { Report } from "./ports.ts";

/** Work that follows an act: counted, reported when it fails, waited for at a stop. */
export interface Background {
  /**
   * Starts `work` now. `task` names it in the log. Beyond `TASKS_MAX` at once, or `LANE_TASKS_MAX` for one `lane`
   * (whom it is for), work waits its turn.
   */
  start(task: string, work: () => Promise<void>, lane?: string): void;
  /** Resolves when nothing is running or waiting. */
  idle(): Promise<void>;
}

/** Tasks at once; the rest wait. Enough to keep every connection busy, few enough to bound sockets. */
export const TASKS_MAX = 64;
/**
 * Tasks at once for one agent: a slow one must not hold up the others, and a few busy sockets carry more than many
 * that are mostly idle.
 */
export const LANE_TASKS_MAX = 8;
/** The lane of all agents we are not connected to: they are as many as anybody likes. */
export const STRANGERS_LANE = "strangers";
/** Tasks waiting in one queue; beyond it the oldest is dropped, and said so. */
const WAITING_MAX = 20_000;

interface Task {
  readonly name: string;
  readonly work: () => Promise<void>;
  readonly lane: string | undefined;
}

interface Lane {
  admitted: number;
  readonly waiting: Queue;
}

export function createBackground(report: Report): Background {
  const lanes = new Map<string, Lane>();
  const ready = new Queue();
  let running = 0;
  let idlers: Array<() => void> = [];

  function wait(queue: Queue, task: Task): void {
    const dropped = queue.size >= WAITING_MAX ? queue.shift() : undefined;
    if (dropped) {
      report("background.dropped", { task: dropped.name });
      if (queue === ready) leaveLane(dropped.lane);
    }
    queue.push(task);
  }

  function enterLane(task: Task): boolean {
    if (task.lane === undefined) return true;
    const lane = lanes.get(task.lane) ?? { admitted: 0, waiting: new Queue() };
    lanes.set(task.lane, lane);
    if (lane.admitted >= LANE_TASKS_MAX) {
      wait(lane.waiting, task);
      return false;
    }
    lane.admitted++;
    return true;
  }

  /** Gives a place in a lane to the next that waits for it, or up. */
  function leaveLane(name: string | undefined): void {
    const lane = name === undefined ? undefined : lanes.get(name);
    if (!lane || name === undefined) return;
    const next = lane.waiting.shift();
    if (next) admit(next);
    else {
      lane.admitted--;
      if (lane.admitted === 0) lanes.delete(name);
    }
  }

  function admit(task: Task): void {
    if (running < TASKS_MAX) run(task);
    else wait(ready, task);
  }

  function run({ name, work, lane }: Task): void {
    running++;
    // What follows an act is the agent's own, whoever did the act.
    actingAs(undefined, work)
      .catch((error: unknown) => {
        if (!hasCode(error, "ABORTED")) report("background.failed", { task: name, reason: reasonOf(error) });
      })
      .finally(() => settle(lane));
  }

  function settle(lane: string | undefined): void {
    running--;
    const next = ready.shift();
    if (next) run(next);
    leaveLane(lane);
    if (running > 0) return;
    const resolved = idlers;
    idlers = [];
    for (const resolve of resolved) resolve();
  }

  return {
    start(name, work, lane) {
      const task = { name, work, lane };
      if (enterLane(task)) admit(task);
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  };
}

/** First in, first out, without copying the rest for each that leaves. */
class Queue {
  readonly #tasks: Task[] = [];
  #first = 0;

  get size(): number {
    return this.#tasks.length - this.#first;
  }

  push(task: Task): void {
    this.#tasks.push(task);
  }

  shift(): Task | undefined {
    const task = this.#tasks[this.#first];
    if (!task) return undefined;
    this.#first++;
    if (this.#first > 1024 && this.#first * 2 > this.#tasks.length) {
      this.#tasks.splice(0, this.#first);
      this.#first = 0;
    }
    return task;
  }
}
