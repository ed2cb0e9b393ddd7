import { DAY_MS, FRESH_WITHIN_MS, MINUTE_MS, type Random, SECOND_MS } from "@darkmatter/core";
import { type Connection, speaks } from "../connections/connection.ts";
import type { Way } from "../transports/transport.ts";

/** How far a copy of a message came towards one agent, as far as we know ourselves (docs/transports.md, "Queue"). */
export type CopyState = "queued" | "sent" | "stored" | "refused" | "expired";

/** A message on its way to one agent. On disk before its first byte leaves, and until that agent has it. */
export interface QueuedCopy {
  /** In the order they were made. */
  readonly seq: number;
  readonly messageId: string;
  readonly agentId: string;
  /** Passed on for another agent; otherwise a message of our own. */
  readonly forwarded: boolean;
  readonly state: CopyState;
  readonly attempts: number;
  /** An attempt was begun, and nothing noted of its end. */
  readonly trying: boolean;
  /** When it is tried next; `null` when it is not tried any more. */
  readonly nextAtMs: number | null;
  readonly createdAtMs: number;
  /** When the first of its bytes may have left; `null` while none did. */
  readonly leftAtMs: number | null;
  /** When it became what it is now, for one that is not tried any more. */
  readonly endedAtMs: number | null;
  /** How the last attempt travelled. */
  readonly way: Way | null;
  /** What came of the last attempt, or ended it, in words of ours that may quote a peer. */
  readonly why: string | null;
}

/** Given up after this (mesh.md 22.4). */
export const COPY_LIFETIME_MS = DAY_MS;
/** Copies that wait for one agent; beyond it a message to that agent is refused. */
export const COPIES_PER_PEER_MAX = 100;
/** Copies that wait, over all. */
export const COPIES_MAX = 1000;
export const PAUSE_LEAST_MS = 5 * SECOND_MS;
export const PAUSE_MOST_MS = 10 * MINUTE_MS;

/**
 * How long after the first byte a copy may be tried again towards an agent that forgets ids after 300 s: less by what
 * an attempt may take to arrive, a relay included.
 */
export const REPEAT_WITHIN_MS = FRESH_WITHIN_MS - 30 * SECOND_MS;

/** The pause after so many attempts in vain: 5 s doubling to 10 min, the last fifth of it by chance. */
export function pauseAfter(attempts: number, random: Random): number {
  const longest = Math.min(PAUSE_LEAST_MS * 2 ** Math.min(Math.max(attempts, 1) - 1, 20), PAUSE_MOST_MS);
  return longest - random.integer(Math.floor(longest / 5) + 1);
}

/** Whether a repeat of a copy cannot be acted on twice, should an earlier attempt have arrived (mesh.md 22.3). */
export function mayRepeat(leftAtMs: number | null, peer: Connection, nowMs: number): boolean {
  if (leftAtMs === null || speaks(peer, "ids25h/1")) return true;
  // A clock that was set back does not tell how long ago that was.
  return nowMs >= leftAtMs && nowMs - leftAtMs <= REPEAT_WITHIN_MS;
}
