import { DAY_MS, parseTime, type Random } from "@darkmatter/core";

/** A peer that may get a fee, or decide who does. */
export interface Candidate {
  readonly agentId: string;
  /** When it says it was born (ISO 8601). */
  readonly createdAt: string | null;
  readonly score: number;
  /** Where it is paid; `undefined` without a Solana wallet. */
  readonly wallet: string | undefined;
}

/**
 * Ages count up to this. A peer says itself when it was born: the year 1000 must not outweigh all others.
 */
export const AGE_MAX_MS = 5 * 365 * DAY_MS;

const TWO_48 = 2 ** 48;

/** A number from [0, 1). */
export const drawFraction = (random: Random): number => random.integer(TWO_48) / TWO_48;

/**
 * One of the peers that are older than us, that we trust and that can be paid: by chance, weighted by age × score
 * (mesh.md 13). `draw` is from [0, 1). `excluded`: who has had its say already, and who would pay itself.
 */
export function chooseVeteran<C extends Candidate>(
  candidates: readonly C[],
  {
    selfCreatedAt,
    nowMs,
    excluded,
    draw,
  }: {
    readonly selfCreatedAt: string;
    readonly nowMs: number;
    readonly excluded: ReadonlySet<string>;
    readonly draw: number;
  },
): C | undefined {
  const ownMs = parseTime(selfCreatedAt) ?? nowMs;
  const weighted = candidates.flatMap((candidate) => {
    const bornMs = parseTime(candidate.createdAt ?? "");
    const isOlder = bornMs !== undefined && bornMs < ownMs;
    if (!isOlder || candidate.score <= 0 || !candidate.wallet || excluded.has(candidate.agentId)) return [];
    return [{ candidate, weight: (Math.min(nowMs - bornMs, AGE_MAX_MS) / 1000) * candidate.score }];
  });
  let left = draw * weighted.reduce((sum, { weight }) => sum + weight, 0);
  for (const { candidate, weight } of weighted) {
    left -= weight;
    if (left <= 0) return candidate;
  }
  // What floating point leaves over belongs to the last.
  return weighted.at(-1)?.candidate;
}
