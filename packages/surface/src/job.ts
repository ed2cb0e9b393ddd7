import { type Clock, reasonOf } from "@darkmatter/core";

/** Background work as data: no stray timers. */
export interface Job {
  readonly name: string;
  readonly periodMs: number;
  /** It also runs at once: a process that never lives for a whole period would never get to it. */
  readonly atStart?: boolean;
  run(): Promise<void>;
}

/** Runs every job until disposed. A run that throws is reported with its job's name and tried again next time. */
export function runJobs(
  jobs: readonly Job[],
  clock: Clock,
  report: (job: string, reason: string) => void,
): Disposable {
  const running = new DisposableStack();
  for (const job of jobs) {
    const failed = (error: unknown) => report(job.name, reasonOf(error));
    running.use(clock.every(job.periodMs, () => job.run(), failed));
    if (job.atStart) job.run().catch(failed);
  }
  return running;
}
