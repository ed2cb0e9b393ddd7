import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/** An agent nobody can call looks for what was left for it this often; messages wait no longer. */
const HIDDEN_PERIOD_MS = 5 * SECOND_MS;
/** Others look now and then: whoever could not reach them left it here. */
const OPEN_PERIOD_MS = MINUTE_MS;
/** Anchors forget who was not heard from for a day, and an anchor that was replaced knows nobody. */
const KNOWN_PERIOD_MS = 10 * MINUTE_MS;

export function anchorJobs({ anchoring, addresses, peerUpdates, ports }: Services): Job[] {
  const { anchors, poll } = anchoring;
  const { monotonic } = ports.clock;
  const isUsed = () => anchors.urls().length > 0;
  let polledMs = Number.NEGATIVE_INFINITY;
  return [
    {
      name: "anchors.poll",
      periodMs: HIDDEN_PERIOD_MS,
      async run() {
        if (!isUsed()) return;
        const isDue = addresses.behindNat() || monotonic() - polledMs >= OPEN_PERIOD_MS;
        if (!isDue) return;
        polledMs = monotonic();
        poll();
      },
    },
    {
      name: "anchors.known",
      periodMs: KNOWN_PERIOD_MS,
      async run() {
        if (isUsed()) await peerUpdates.announce();
      },
    },
  ];
}
