import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Witnesses } from "./witnesses.ts";

/** How often it is looked whether a round is due: one row is read. */
const POLL_PERIOD_MS = 5 * SECOND_MS;

export function witnessJobs(witnesses: Witnesses): Job[] {
  return [{ name: "ledger.witness", periodMs: POLL_PERIOD_MS, run: () => witnesses.poll() }];
}
