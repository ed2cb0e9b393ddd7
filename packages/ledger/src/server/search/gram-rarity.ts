import type { Clock } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";
import { attributeGrams, eachGram, hashOf, indexable } from "./grams.ts";
import { payloadsFrom } from "./search.store.ts";
import { searchedText } from "./searched-text.ts";

/** Payloads of the sample, evenly spread over the log. */
const SAMPLES = 2048;
/** Characters of a payload that are looked at. */
const SAMPLE_CHARACTERS = 1024;
const SAMPLES_A_TURN = 4;
/** A log is sampled again when it is so many times as long. */
const GROWTH = 2;
/** Grams of one hash are counted as one: a power of two, more than a sample mostly has of them. */
const BUCKETS = 1 << 20;
/** Grams of payloads that a sample has room for at first. */
const ROOM = 1 << 16;
const BUCKETS_A_TURN = 1 << 16;
/** Below this even a poor choice of grams is quick. */
const COMMITS_MIN = 10_000;

/** Grams that are looked for at most. */
const GRAMS_ASKED = 12;
/** Grams that are chosen from: the rarest of a query. */
const GRAMS_KNOWN = 24;
/** Looking at a payload costs as much as reading so many entries of a gram's list. */
const LOOK = 200;
/** Grams of one word come together: where too few samples are left to tell, a gram rules out this root of its share. */
const KINSHIP = 3;
/** Samples that such a guess counts as much as. */
const GUESS = 2;
/** Samples that what none of them holds counts as. */
const UNSEEN = 0.5;

/** Knows from a sample which grams are rare together, so that an index is asked for those that rule out most. */
export interface GramRarity {
  /** Those of some grams that a list of candidates is best made of. */
  rarest(grams: ReadonlySet<string>): string[];
  /** Takes a sample, when the log has grown enough since the last one; gives others their turn. */
  learn(read: Read, size: number): Promise<void>;
}

interface Sample {
  readonly size: number;
  /** Which samples hold a gram. */
  readonly holdersOf: (gram: string) => Uint16Array;
}

const NO_HOLDERS = new Uint16Array();

export function createGramRarity(clock: Pick<Clock, "turn">): GramRarity {
  let sample: Sample = { size: 0, holdersOf: () => NO_HOLDERS };
  let learnedAt = COMMITS_MIN / GROWTH;
  return {
    rarest: (grams) => rarestOf(sample, grams),
    async learn(read, size) {
      if (size < learnedAt * GROWTH) return;
      sample = await take(read, size, clock);
      learnedAt = size;
    },
  };
}

interface KnownGram {
  readonly gram: string;
  readonly holders: Uint16Array;
  /** Of payloads; without samples all are alike. */
  readonly share: number;
}

function rarestOf({ size, holdersOf }: Sample, grams: ReadonlySet<string>): string[] {
  const known = (gram: string): KnownGram => {
    const held = holdersOf(gram);
    return { gram, holders: held, share: size === 0 ? 1 / LOOK : Math.max(UNSEEN, held.length) / size };
  };
  const choices = [...grams].map(known).sort((one, other) => one.share - other.share);
  choices.length = Math.min(choices.length, GRAMS_KNOWN);
  const isLeft = new Uint8Array(size).fill(1);
  let left = { share: 1, samples: size, cost: Number.POSITIVE_INFINITY };
  const asked: string[] = [];
  while (asked.length < GRAMS_ASKED && choices.length > 0) {
    const outcomes = choices.map((choice) => outcomeOf(choice, left, isLeft));
    const best = outcomes.reduce((one, other) => (other.worth < one.worth ? other : one));
    if (best.worth >= left.cost) break;
    asked.push(best.choice.gram);
    choices.splice(choices.indexOf(best.choice), 1);
    keep(isLeft, best.choice.holders);
    left = best;
  }
  return asked;
}

/** What asking for one more gram leaves: `cost` is that of looking at it, `worth` that and of reading the gram's list. */
function outcomeOf(
  choice: KnownGram,
  left: { readonly share: number; readonly samples: number },
  isLeft: Uint8Array,
) {
  let samples = 0;
  for (const at of choice.holders) samples += isLeft[at] ?? 0;
  const guess = GUESS * choice.share ** (1 / KINSHIP);
  const share = (left.share * (samples + guess)) / (left.samples + GUESS);
  const cost = LOOK * share;
  return { choice, share, samples, cost, worth: cost + choice.share };
}

/** Leaves only those of the samples that are among the holders. */
function keep(isLeft: Uint8Array, holders: Uint16Array): void {
  const kept = holders.filter((at) => isLeft[at] === 1);
  isLeft.fill(0);
  for (const at of kept) isLeft[at] = 1;
}

async function take(read: Read, log: number, clock: Pick<Clock, "turn">): Promise<Sample> {
  const { add, finish } = createHolders();
  let size = 0;
  const step = Math.max(1, log / SAMPLES);
  for (let at = 0; at < log; at += step) {
    const [commit] = await payloadsFrom(read, Math.floor(at), 1);
    const payload = commit?.payload;
    if (!commit || payload == null) continue;
    for (const gram of attributeGrams(commit)) add(size, gram, 0, gram.length);
    const text = indexable(searchedText(payload.slice(0, SAMPLE_CHARACTERS)));
    eachGram(text, (of, from, to) => add(size, of, from, to));
    if (++size % SAMPLES_A_TURN === 0) await clock.turn();
  }
  return { size, holdersOf: await finish(clock) };
}

/** A list for each bucket, all in two arrays: as maps and arrays of their own they would take ten times the memory. */
function createHolders() {
  const lasts = new Int32Array(BUCKETS);
  let [holders, befores] = [new Uint16Array(ROOM), new Int32Array(ROOM)];
  let end = 1;
  return {
    /** Samples come one after the other. */
    add(sample: number, text: string, from: number, to: number): void {
      const bucket = hashOf(text, from, to) & (BUCKETS - 1);
      const last = lasts[bucket] ?? 0;
      if (last > 0 && holders[last] === sample) return;
      if (end === holders.length) [holders, befores] = [grown(holders), grown(befores)];
      holders[end] = sample;
      befores[end] = last;
      lasts[bucket] = end++;
    },
    /** Puts each list in one place, where it is read at once. */
    async finish(clock: Pick<Clock, "turn">): Promise<Sample["holdersOf"]> {
      const ends = new Int32Array(BUCKETS);
      const lists = new Uint16Array(end);
      let next = 0;
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        for (let at = lasts[bucket] ?? 0; at > 0; at = befores[at] ?? 0) lists[next++] = holders[at] ?? 0;
        ends[bucket] = next;
        if (bucket % BUCKETS_A_TURN === 0) await clock.turn();
      }
      [holders, befores] = [NO_HOLDERS, new Int32Array()];
      return (gram) => {
        const bucket = hashOf(gram, 0, gram.length) & (BUCKETS - 1);
        return lists.subarray(ends[bucket - 1] ?? 0, ends[bucket]);
      };
    },
  };
}

function grown<A extends Uint16Array | Int32Array>(array: A): A {
  const more = new (array.constructor as new (length: number) => A)(array.length * 2);
  more.set(array);
  return more;
}
