import { canon1OfText, type Json, type JsonObject } from "@darkmatter/core";
import { type Figures, median } from "../lib/figures.ts";

const SIZES = {
  whole: { rounds: 16, passes: 20, warmUp: 10 },
  short: { rounds: 8, passes: 4, warmUp: 4 },
};

const PAYLOADS = 200;
const PAYLOAD_CHARACTERS = 2800;

/** canon-1 from text, beside the least that anyone does with JSON: to read it and write it again. */
export async function measureCanonical(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const { rounds, passes, warmUp } = short ? SIZES.short : SIZES.whole;
  const payloads = makePayloads();
  const megabytes = (passes * payloads.reduce((sum, text) => sum + Buffer.byteLength(text), 0)) / 1e6;
  const sides = { canonical: canon1OfText, stringify: (text: string) => JSON.stringify(JSON.parse(text)) };
  const speeds: Record<keyof typeof sides, number[]> = { canonical: [], stringify: [] };
  for (const side of [sides.canonical, sides.stringify]) secondsFor(side, payloads, warmUp);

  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const order =
      round % 2 === 0 ? (["stringify", "canonical"] as const) : (["canonical", "stringify"] as const);
    for (const side of order) speeds[side].push(megabytes / secondsFor(sides[side], payloads, passes));
    ratios.push((speeds.canonical.at(-1) ?? Number.NaN) / (speeds.stringify.at(-1) ?? Number.NaN));
  }
  figures.add("ledger.canonical_mb_per_second", median(speeds.canonical), "MB/s");
  figures.add("ledger.stringify_mb_per_second", median(speeds.stringify), "MB/s");
  figures.add("ledger.canonical_vs_stringify", median(ratios), "ratio", { least: 0.25, noisy: true });
}

function secondsFor(side: (text: string) => string, payloads: readonly string[], passes: number): number {
  let units = 0;
  const started = performance.now();
  for (let pass = 0; pass < passes; pass++) {
    for (const payload of payloads) {
      const text = side(payload);
      // Reading one character makes the engine lay out the whole text, which it may have put off.
      units += text.length + text.charCodeAt(text.length >> 1);
    }
  }
  const seconds = (performance.now() - started) / 1000;
  if (!(units > 0)) throw new Error("A payload came to nothing.");
  return seconds;
}

const NAMES =
  "output input memory task event model tokens latency_ms score confidence note from to id created_at tags parent steps".split(
    " ",
  );
const WORDS = [
  ..."agent forwarded the contract margin draft of first quarter https://example.test/a/b?c=d".split(" "),
  ..."résumé über 第一四半期 🚀 — approuvé".split(" "),
  "line\nbreak",
  'say "hi"',
];
const FLOATS = [6.4, 0.97, 12.25, 1e-7, 284.5, 0.3333, 0.9412870001, 1234.5678];

/** What agents commit: nested, keys in no order, every tenth value a float; the same at each run. */
function makePayloads(): string[] {
  let seed = 1;
  const below = (count: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * count);
  };
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  const list = <Item>(count: number, make: () => Item): Item[] => Array.from({ length: count }, make);

  const object = (depth: number): JsonObject =>
    Object.fromEntries(list(3 + below(6), () => [pick(NAMES), value(depth)]));
  const value = (depth: number): Json => {
    const kind = below(100);
    if (kind < 10) return pick(FLOATS) + below(10);
    if (kind < 35) return below(100_000);
    if (kind < 40) return pick([true, false, null]);
    if (kind < 52 && depth < 4) return object(depth + 1);
    if (kind < 60 && depth < 4) return list(below(5), () => value(depth + 1));
    return list(1 + below(8), () => pick(WORDS)).join(" ");
  };
  return list(PAYLOADS, () => {
    const payload: JsonObject = {};
    for (let at = 0; JSON.stringify(payload).length < PAYLOAD_CHARACTERS; at++) {
      payload[`${pick(NAMES)}_${at}`] = value(0);
    }
    return JSON.stringify(payload);
  });
}
