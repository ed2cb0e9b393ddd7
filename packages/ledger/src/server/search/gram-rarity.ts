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

/** Grams that are looked for: each more costs reading its list, and rules out less and less. */
const GRAMS_ASKED = 5;
/** Of a gram that more than this share of payloads hold the list costs more than it rules out. */
const COMMON = 0.125;

/** Knows from a sample how rare grams are, so that an index is asked for those that rule out most. */
export interface GramRarity {
  /** The rarest few of some grams. */
  rarest(grams: ReadonlySet<string>): string[];
  /** Counts, when the log has grown enough since; gives others their turn. */
  learn(read: Read, size: number): Promise<void>;
}

export function createGramRarity(clock: Pick<Clock, "turn">): GramRarity {
  let counts = new Map<string, number>();
  let sampled = 0;
  let learnedAt = COMMITS_MIN / GROWTH;

  return {
    rarest(grams) {
      const known = [...grams].map((gram) => ({ gram, count: counts.get(gram) ?? 0 }));
      known.sort((one, other) => one.count - other.count);
      const rare = known.filter(({ count }) => count <= sampled * COMMON);
      return (rare.length > 0 ? rare : known).slice(0, GRAMS_ASKED).map(({ gram }) => gram);
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
