import { AgentId } from "@darkmatter/core";
import { z } from "zod";

export const IMPRESSION_NOTE_CODE_POINTS_MAX = 2000;

/** How much a delivered message, forward or reply moves our trust in the peer (mesh.md 14). */
export const DELIVERY_GAIN = 0.001;

/** What one agent thinks of another. */
export const Impression = z
  .object({
    about: AgentId,
    /** In [-1, 1], kept to 4 decimals. */
    score: z.number().min(-1).max(1),
    note: z.string(),
    /** When the score last fell below zero (ISO 8601); a peer disliked for an hour is disconnected. */
    negativeSince: z.string().nullable(),
  })
  .readonly();
export type Impression = z.infer<typeof Impression>;

/**
 * Moves a score towards +1 or -1 in shrinking steps, so that no number of small favours reaches certainty.
 * Scores are dimensionless, in [-1, 1], kept to 4 decimals (mesh.md 14).
 */
export function adjusted(score: number, change: number): number {
  const room = change > 0 ? 1 - score : 1 + score;
  return clamped(Math.round((score + change * room) * 1e4) / 1e4);
}

export function clamped(score: number): number {
  return Math.min(1, Math.max(-1, score));
}
