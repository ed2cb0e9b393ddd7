import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";
import { HEALTH_PERIOD_MS } from "./health.ts";
import { TICK_MS } from "./wake.ts";

export function healingJobs({ healing, peerUpdates }: Services): Job[] {
  return [
    { name: "healing.watch", periodMs: TICK_MS, run: () => healing.watch() },
    { name: "peers.tell-again", periodMs: SECOND_MS, run: () => peerUpdates.retry() },
    { name: "healing.health", periodMs: HEALTH_PERIOD_MS, run: () => healing.health.run() },
    { name: "addresses.look", periodMs: 5 * SECOND_MS, atStart: true, run: () => healing.lookAround() },
    { name: "addresses.outside", periodMs: 5 * MINUTE_MS, run: () => healing.lookOutside() },
  ];
}
