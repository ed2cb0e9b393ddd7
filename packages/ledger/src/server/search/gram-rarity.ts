import type { Clock } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";
import { accountGram, addGrams, indexable } from "./grams.ts";
import { payloadsFrom } from "./search.store.ts";
import { searchedText } from "./searched-text.ts";

/** Payloads that are counted, evenly spread over the log. */
const SAMPLES = 2048;
/** Characters of a payload that are counted. */
const SAMPLE_CHARACTERS = 4096;
const SAMPLES_A_TURN = 16;
/** A log is counted again when it is so many times as long. */
const GROWTH = 2;
/** Below this even a poor choice of grams is quick. */
const COMMITS_MIN = 10_000;

/** Grams that are looked for at most. */
const GRAMS_ASKED = 12;
/** Looking at a payload costs as much as reading so many entries of a gram's list. */
const LOOK = 400;
/** Grams of one word come together: each next one rules out less than by chance, as if its share were this root of it. */
const KINSHIP = 3;

/** Knows from a sample how rare grams are, so that an index is asked for those that rule out most. */
export interface GramRarity {
  /** Those of some grams that a list of candidates is best made of. */
  rarest(grams: ReadonlySet<string>): string[];
  /** Counts, when the log has grown enough since; gives others their turn. */
  learn(read: Read, size: number): Promise<void>;
}

export function createGramRarity(clock: Pick<Clock, "turn">): GramRarity {
  let counts = new Map<string, number>();
  let sampled = 0;
  let learnedAt = COMMITS_MIN / GROWTH;

  /** Of what no sample holds it is half a sample. Without samples all are alike. */
  const shareOf = (gram: string) => (sampled === 0 ? 1 / LOOK : (counts.get(gram) ?? 0.5) / sampled);

  return {
    rarest(grams) {
      const known = [...grams].map((gram) => ({ gram, share: shareOf(gram) }));
      known.sort((one, other) => one.share - other.share);
      const asked: string[] = [];
      // The share of payloads that is left to look at.
      let left = 1;
      for (const { gram, share } of known.slice(0, GRAMS_ASKED)) {
        const after = left * (asked.length === 0 ? share : share ** (1 / KINSHIP));
        if (asked.length > 0 && (left - after) * LOOK < share) break;
        asked.push(gram);
        left = after;
      }
      return asked;
    },
    async learn(read, size) {
      if (size < learnedAt * GROWTH) return;
      const counted = await count(read, size, clock);
      counts = counted.counts;
      sampled = counted.sampled;
      learnedAt = size;
    },
  };
}

async function count(read: Read, size: number, clock: Pick<Clock, "turn">) {
  const counts = new Map<string, number>();
  let sampled = 0;
  const step = Math.max(1, size / SAMPLES);
  for (let at = 0; at < size; at += step) {
    const [commit] = await payloadsFrom(read, Math.floor(at), 1);
    const payload = commit?.payload;
    if (!commit || payload == null) continue;
    const grams = new Set([accountGram(commit.account)]);
    addGrams(grams, indexable(searchedText(payload.slice(0, SAMPLE_CHARACTERS))));
    for (const gram of grams) counts.set(gram, (counts.get(gram) ?? 0) + 1);
    if (++sampled % SAMPLES_A_TURN === 0) await clock.turn();
  }
  // What was met once is as rare as what was never met, and most of the memory.
  for (const [gram, times] of counts) if (times === 1) counts.delete(gram);
  return { counts, sampled };
}
