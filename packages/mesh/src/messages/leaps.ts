import { type Clock, MINUTE_MS } from "@darkmatter/core";

/** By how much the wall clock outruns the monotonic one when it was set, or the machine slept. */
const LEAP_MS = 5 * MINUTE_MS;
/** How long what seems too old is kept then: to be tried once more, or the clock put right. */
const CALM_MS = 10 * MINUTE_MS;

/** To be asked every minute or so: whether the wall clock's word on how long something waited is to be trusted. */
export function createLeapWatch(clock: Pick<Clock, "now" | "monotonic">): () => boolean {
  const aheadMs = () => clock.now() - clock.monotonic();
  let last = aheadMs();
  let calmAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const before = last;
    last = aheadMs();
    if (last - before > LEAP_MS) calmAtMs = clock.monotonic() + CALM_MS;
    return clock.monotonic() >= calmAtMs;
  };
}
