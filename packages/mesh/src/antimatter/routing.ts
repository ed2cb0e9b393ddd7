import type { GameResult } from "./game.ts";

/** How a signal ends: by a match, where nobody is left to ask, or with its time or hops used up. */
export type Resolution = "match" | "terminal" | "timeout";

/** Hops a signal may make, whatever it says itself. */
export const HOPS_MAX = 10;

/** What a holder does with a signal after its game. */
export type Step<P> =
  | { readonly kind: "resolve"; readonly resolution: Resolution; readonly winner: P | undefined }
  | { readonly kind: "hand"; readonly to: P };

/**
 * Decides what comes after a game (mesh.md 13): a match ends with a veteran as the winner, no match hands the signal to
 * a veteran, who plays in turn. `veteran` draws one, once at most.
 */
export function nextStep<P>(
  outcome: GameResult<unknown>["outcome"],
  hops: number,
  hopsMax: number,
  veteran: () => P | undefined,
): Step<P> {
  const ended = (resolution: Resolution, winner?: P): Step<P> => ({ kind: "resolve", resolution, winner });
  if (outcome === "nobody") return ended("terminal");
  if (outcome === "no_match" && hops + 1 >= Math.min(hopsMax, HOPS_MAX)) return ended("timeout");
  const chosen = veteran();
  if (chosen === undefined) return ended("terminal");
  return outcome === "match" ? ended("match", chosen) : { kind: "hand", to: chosen };
}
