import { seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commitmentOf, drawPick, isCommitted, PLAYERS_MAX, pickWithin, playersIn } from "./picks.ts";

test("what is drawn lies from 0 to n, and is bound by its commitment alone", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer(), (n, seed) => {
      const { pick, nonceHex, commitment } = drawPick(n, seededRandom(seed));
      expect(pickWithin(pick, n)).toBe(pick);
      expect(isCommitted(commitment, pick, nonceHex)).toBe(true);
      expect(isCommitted(commitment, (pick + 1) % (n + 1), nonceHex)).toBe(false);
    }),
  );
});

test("picks are uniform: chi-squared over 11 values stays below its 99.9 % bound", () => {
  const random = seededRandom(7);
  const draws = 22_000;
  const counts = new Array<number>(11).fill(0);
  for (let at = 0; at < draws; at++) {
    const { pick } = drawPick(10, random);
    counts[pick] = (counts[pick] ?? 0) + 1;
  }
  const expected = draws / 11;
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(chi).toBeLessThan(29.59);
});

test("a commitment binds nothing that is no pick or no nonce", () => {
  const any = fc.anything();
  fc.assert(
    fc.property(any, any, (pick, nonce) => {
      const bound = commitmentOf(pick, nonce);
      if (bound !== undefined) expect(typeof pick === "number" && typeof nonce === "string").toBe(true);
    }),
  );
  for (const pick of [-1, 0.5, 2 ** 32, Number.NaN, "1", null])
    expect(commitmentOf(pick, "00")).toBeUndefined();
  for (const nonce of ["x", "0", "00".repeat(129), 7, null]) expect(commitmentOf(1, nonce)).toBeUndefined();
});

test("a number of players is whole, from 1 to a bound", () => {
  for (const n of [0, -1, 1.5, "3", null, Number.NaN, PLAYERS_MAX + 1, 2 ** 31])
    expect(playersIn(n)).toBeUndefined();
  expect(playersIn(1)).toBe(1);
  expect(playersIn(PLAYERS_MAX)).toBe(PLAYERS_MAX);
});

test("a pick outside 0 to n is none", () => {
  for (const pick of [-1, 6, 2 ** 31, 1.5, "2", null]) expect(pickWithin(pick, 5)).toBeUndefined();
  expect(pickWithin(0, 5)).toBe(0);
  expect(pickWithin(5, 5)).toBe(5);
});
