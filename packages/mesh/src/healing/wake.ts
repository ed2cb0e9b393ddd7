import { SECOND_MS } from "@darkmatter/core";
import type { MeshPorts } from "../ports.ts";

export const TICK_MS = SECOND_MS;
/** Ticks that come so late were kept from coming: the machine slept, or the process was stopped. */
const GAP_MS = 5 * SECOND_MS;

/**
 * Whether time passed without this process. To be asked each `TICK_MS`. Asleep, a machine's monotonic clock may stand
 * still; a process that is stopped misses its ticks while both clocks go on: so either is enough.
 */
export function createSleepWatch({ clock }: Pick<MeshPorts, "clock">): () => boolean {
  const look = () => ({ wallMs: clock.now(), monotonicMs: clock.monotonic() });
  let last = look();
  return () => {
    const { wallMs, monotonicMs } = last;
    last = look();
    return last.wallMs - wallMs > GAP_MS || last.monotonicMs - monotonicMs > GAP_MS;
  };
}
