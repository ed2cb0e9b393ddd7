import { SECOND_MS } from "@darkmatter/core";
import type { Machine } from "./machine.ts";
import type { Connected } from "./site.ts";
import type { Site } from "./weather.ts";

/** A beacon is believed if its time is so near to the hearer's, inclusive (mesh.md 8): an older one anybody may repeat. */
const BEACON_FRESH_MS = 90 * SECOND_MS;

type Named = Pick<Machine, "name">;

/** Two machines, whichever comes first. */
export const namesOf = (one: Named, other: Named): string => [one.name, other.name].sort().join();

/**
 * Connections that no node can mend, because nobody knows the way, as `namesOf`. A connection is mended by
 *
 *   calling      one of the two is where it was met, and can be called: the other says where it is now
 *   beacons      both are in the open, where all hear each other, if their clocks agree well enough
 *   a friend     of both, who is in touch with each, or comes to be
 *
 * Without an anchor there is nothing else.
 */
export function outOfSight({ machines, routers, moved, pairs }: Site & Connected): ReadonlySet<string> {
  const isOpen = (machine: Machine) => !routers.has(machine.name);
  const isWhereItWas = (machine: Machine) => (isOpen(machine) || machine.isMapped) && !moved.has(machine);
  const hear = (one: Machine, other: Machine) =>
    isOpen(one) && isOpen(other) && Math.abs(one.skewMs - other.skewMs) <= BEACON_FRESH_MS;
  const inTouch = new Set<string>();
  const lost = new Map<string, readonly [Machine, Machine]>();
  for (const [asking, asked] of pairs) {
    const [one, other] = [machines[asking], machines[asked]];
    if (!one || !other) continue;
    const knows = isWhereItWas(one) || isWhereItWas(other) || hear(one, other);
    if (knows) inTouch.add(namesOf(one, other));
    else lost.set(namesOf(one, other), [one, other]);
  }
  const haveFriend = ([one, other]: readonly [Machine, Machine]) =>
    machines.some((friend) => inTouch.has(namesOf(one, friend)) && inTouch.has(namesOf(friend, other)));
  for (let before = -1; before !== lost.size; ) {
    before = lost.size;
    for (const [names, pair] of lost) {
      if (!haveFriend(pair)) continue;
      lost.delete(names);
      inTouch.add(names);
    }
  }
  return new Set(lost.keys());
}
