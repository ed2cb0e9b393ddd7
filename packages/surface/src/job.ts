import { type Clock, reasonOf } from "@darkmatter/core";

/** Background work as data: no stray timers. */
export interface Job {
  readonly name: string;
  readonly periodMs: number;
  /** It also runs at once: a process that never lives for a whole period would never get to it. */
  readonly atStart?: boolean;
  run(): Promise<void>;
}

/**
 * Runs every job until disposed. A run that throws is reported with its job's name and tried again next time; one that
 * still goes on when its time comes is left to it. Jobs of one period share a timer: an idle node wakes once for all.
 */
export function runJobs(
  jobs: readonly Job[],
  clock: Clock,
  report: (job: string, reason: string) => void,
): Disposable {
  const running = new DisposableStack();
  for (const [periodMs, together] of Map.groupBy(jobs, (job) => job.periodMs)) {
    const runs = together.map((job) => ({ job, run: runOf(job, report) }));
    const runAll = async () => {
      for (const { run } of runs) run();
    };
    running.use(clock.every(periodMs, runAll, (error) => report(`every ${periodMs} ms`, reasonOf(error))));
    for (const { job, run } of runs) if (job.atStart) run();
  }
  return running;
}

/** Begins a run, unless the one before goes on. */
function runOf(job: Job, report: (job: string, reason: string) => void): () => void {
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    try {
      await job.run();
    } catch (error) {
      report(job.name, reasonOf(error));
    } finally {
      isRunning = false;
    }
  };
  return () => {
    if (!isRunning) void run();
  };
}
