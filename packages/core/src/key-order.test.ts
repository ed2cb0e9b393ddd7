import fc from "fast-check";
import { expect, test } from "vitest";
import { canon1OfText } from "./index.ts";
import { sortByKey } from "./key-order.ts";
import { quickestRatio } from "./testing/quickest-ratio.ts";

/** Unit by unit; a surrogate, whole or half a pair, is above all others. */
function straightforward(one: string, other: string): number {
  const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    const difference = rank(one.charCodeAt(at)) - rank(other.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

const sorted = (keys: readonly string[]) => sortByKey(keys.map((key) => ({ key }))).map(({ key }) => key);

const letter = fc.constantFrom(
  ..."ab\u0000\u007f\u0080é\ud7ff\ud800\udbff\udc00\udfff\ue000\uf800\uffff",
  "😀",
  "\u{10ffff}",
);
const few = fc.array(letter, { maxLength: 9 }).map((letters) => letters.join(""));
/** Alike for long, or beginnings of each other, with what differs after it. */
const long = fc.tuple(few, fc.nat(100), few).map(([begin, times, end]) => begin.repeat(times) + end);

test("keys stand where comparing them one by one puts them, whatever and however many they are", () => {
  const begins = fc.array(fc.oneof(few, long), { minLength: 1, maxLength: 4 });
  const key = begins.chain((some) =>
    fc.array(
      fc.tuple(fc.constantFrom(...some), fc.oneof(few, long)).map(([begin, end]) => begin + end),
      { maxLength: 80 },
    ),
  );
  fc.assert(
    fc.property(key, (keys) => {
      expect(sorted(keys)).toEqual(keys.toSorted(straightforward));
    }),
    { numRuns: 2000 },
  );
});

test("beginnings of one another stand in the order of their length, more than are split one by one", () => {
  const ends = ["", "\ud800", "\udfff", "\ue000", "\uffff", "a", "😀"];
  for (const unit of ["a", "é", "😀", "\ue000", "\udc00", "aé", "\uffff😀"]) {
    const keys = Array.from({ length: 210 }, (_, n) => unit.repeat((n * 89) % 210) + ends[n % ends.length]);
    expect(sorted(keys)).toEqual(keys.toSorted(straightforward));
  }
});

test("keys that are alike for thousands of characters stand in the order of what follows", () => {
  const ends = ["", "a", "\ud7ff", "\ud800", "\udc00", "\ue000", "\uffff", "😀", "\u{10ffff}"];
  for (const times of [2, 4])
    for (const begin of ["k", "é", "😀", "\uffff"]) {
      const keys = ends.flatMap((end) =>
        Array.from({ length: times }, (_, n) => begin.repeat(4090 + n) + end + begin.repeat(n)),
      );
      expect(sorted(keys.toReversed())).toEqual(keys.toSorted(straightforward));
    }
});

/** It is two to six; compared character by character, over thirty. */
const RATIO_MAX = 10;

test("keys take no longer to read than as items, within reason, however long they are alike", () => {
  const count = 10_000;
  const shuffled = (n: number) => (n * 7919) % count;
  const all = (make: (n: number) => string) => Array.from({ length: count }, (_, n) => make(shuffled(n)));
  for (const [name, keys] of [
    ["two astral beginnings", all((n) => (n % 2 ? "😀" : "\u{1f601}").repeat(100) + n)],
    ["astral and above surrogates", all((n) => (n % 2 ? "😀" : "\uffff").repeat(100) + n)],
    ["beginnings of one another", all((n) => `${"a".repeat(n / 5)}😀${n}`).slice(0, 2000)],
    ["few and long", Array.from({ length: 16 }, (_, n) => "😀".repeat(60_000) + (99 - n))],
  ] as const) {
    const texts = keys.map((key) => `"${key}"`);
    const asItems = `[${texts.map((text) => `${text},0`)}]`;
    const asKeys = `{${texts.map((text) => `${text}:0`)}}`;
    const ratio = quickestRatio(
      () => canon1OfText(asKeys),
      () => canon1OfText(asItems),
      RATIO_MAX,
    );
    expect(ratio, name).toBeLessThan(RATIO_MAX);
  }
});
