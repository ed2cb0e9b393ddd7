import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

const RETRY_PERIOD_MS = 5 * SECOND_MS;
const PRUNE_PERIOD_MS = MINUTE_MS;
/** How often it is looked whether a renewal is due. */
const RENEW_PERIOD_MS = 10 * MINUTE_MS;

export function shardJobs({ shards, sharing }: Services): Job[] {
  return [
    { name: "shards.retry", periodMs: RETRY_PERIOD_MS, run: () => sharing.retry() },
    { name: "shards.prune", periodMs: PRUNE_PERIOD_MS, run: () => shards.prune() },
    // At the start, too: mirrors may be gone after a day without this node.
    { name: "shards.renew", periodMs: RENEW_PERIOD_MS, atStart: true, run: () => shards.renew() },
  ];
}
