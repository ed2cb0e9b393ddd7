import type { Clock, Random } from "@darkmatter/core";
import { pauseAfter } from "./messages/copy.ts";

/** Growing pauses between attempts, each under a name of its own; nothing of them outlives the process. */
export interface Backoff {
  isPaused(name: string): boolean;
  /** An attempt was in vain. */
  failed(name: string): void;
  /** Nothing is left to try, or there is reason to try at once. */
  clear(name: string): void;
  /** Forgets all names but these. */
  keep(names: ReadonlySet<string>): void;
}

export function createBackoff({
  clock,
  random,
}: {
  readonly clock: Clock;
  readonly random: Random;
}): Backoff {
  const pauses = new Map<string, { readonly failures: number; readonly untilMs: number }>();

  return {
    isPaused: (name) => (pauses.get(name)?.untilMs ?? 0) > clock.monotonic(),

    failed(name) {
      const failures = (pauses.get(name)?.failures ?? 0) + 1;
      pauses.set(name, { failures, untilMs: clock.monotonic() + pauseAfter(failures, random) });
    },

    clear: (name) => void pauses.delete(name),

    keep(names) {
      for (const name of pauses.keys()) if (!names.has(name)) pauses.delete(name);
    },
  };
}

/** How long an agent that is heard again and again is not tried again for that. */
const HEARD_PAUSE_MS = 5_000;
/** Agents whose last try is remembered. */
const AGENTS_MAX = 1000;

/** Agents to whom something could not be brought, so that there is something to do once they are heard. */
export interface Missed {
  add(agentId: string): void;
  /** Whether to try now; then it is not asked again for a while. */
  take(agentId: string): boolean;
}

export function createMissed(clock: Clock): Missed {
  const missed = new Set<string>();
  const triedAtMs = new Map<string, number>();

  return {
    add: (agentId) => void missed.add(agentId),

    take(agentId) {
      if (!missed.has(agentId)) return false;
      const nowMs = clock.monotonic();
      if (nowMs - (triedAtMs.get(agentId) ?? Number.NEGATIVE_INFINITY) < HEARD_PAUSE_MS) return false;
      missed.delete(agentId);
      triedAtMs.delete(agentId);
      triedAtMs.set(agentId, nowMs);
      if (triedAtMs.size > AGENTS_MAX) triedAtMs.delete(triedAtMs.keys().next().value ?? "");
      return true;
    },
  };
}
