import type { Clock } from "@darkmatter/core";
import type { RouteRequest } from "@darkmatter/surface";

/** These ports for one request: an act on them ends at its next turn once nobody waits for its answer. */
export function whileWaitedFor<P extends { readonly clock: Clock }>(
  ports: P,
  { signal }: Pick<RouteRequest, "signal">,
): P {
  const clock: Clock = {
    ...ports.clock,
    async turn() {
      await ports.clock.turn();
      signal.throwIfAborted();
    },
  };
  return { ...ports, clock };
}

/** Whether an act ended because its caller went away: nothing that an operator has to look at. */
export const isCallerGone = (error: unknown, { signal }: Pick<RouteRequest, "signal">): boolean =>
  signal.aborted && error instanceof DOMException && error.name === "AbortError";
