import { SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { type Job, runJobs } from "./job.ts";

test("a run that goes on holds up no other job of its period, and is not begun again", async () => {
  const clock = virtualClock();
  const begun: string[] = [];
  const end = Promise.withResolvers<void>();
  const jobs: Job[] = [
    {
      name: "slow",
      periodMs: SECOND_MS,
      async run() {
        begun.push("slow");
        await end.promise;
      },
    },
    { name: "quick", periodMs: SECOND_MS, run: async () => void begun.push("quick") },
  ];
  using _jobs = runJobs(jobs, clock, () => undefined);
  await clock.advance(2 * SECOND_MS);
  expect(begun).toEqual(["slow", "quick", "quick"]);
  end.resolve();
  await clock.advance(SECOND_MS);
  expect(begun).toEqual(["slow", "quick", "quick", "slow", "quick"]);
});

test("a run that fails is reported by its job's name, and the job goes on", async () => {
  const clock = virtualClock();
  const reports: string[] = [];
  let runs = 0;
  const failing: Job = {
    name: "failing",
    periodMs: SECOND_MS,
    atStart: true,
    run: async () => {
      runs++;
      throw new Error("no luck");
    },
  };
  const jobs = runJobs([failing], clock, (job, reason) => void reports.push(`${job}: ${reason}`));
  await clock.advance(SECOND_MS);
  jobs[Symbol.dispose]();
  await clock.advance(SECOND_MS);
  expect([runs, reports]).toEqual([2, ["failing: no luck", "failing: no luck"]]);
});
