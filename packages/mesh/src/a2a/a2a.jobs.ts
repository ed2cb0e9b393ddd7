import { DAY_MS, MINUTE_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/** Tasks are kept for so long after they began. */
export const TASK_LIFETIME_MS = 7 * DAY_MS;

export function a2aJobs({ a2a, db, ports }: Services): Job[] {
  return [
    {
      name: "a2a.forget",
      periodMs: 10 * MINUTE_MS,
      atStart: true,
      async run() {
        await db.write((tx) => a2a.forget(tx, ports.clock.now() - TASK_LIFETIME_MS));
      },
    },
  ];
}
