import { HOUR_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/** How late a step may be that nothing else begins; a look that finds none due costs nothing. */
const STEP_MS = 2 * SECOND_MS;

export function wakingJobs({ waking }: Services): Job[] {
  return [
    { name: "waking.advance", periodMs: STEP_MS, atStart: true, run: () => waking.advance() },
    { name: "waking.prune", periodMs: HOUR_MS, run: () => waking.prune() },
  ];
}
