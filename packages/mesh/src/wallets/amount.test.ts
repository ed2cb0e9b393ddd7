import fc from "fast-check";
import { expect, test } from "vitest";
import { amountOf, numberOf, rawOf } from "./amount.ts";

test("amounts are counted from their text, never by way of a float", () => {
  expect(rawOf("0.29", 9)).toBe(290_000_000n);
  expect(rawOf("1e-9", 9)).toBe(1n);
  expect(rawOf("1E+2", 6)).toBe(100_000_000n);
  expect(rawOf("1.9999999999", 9)).toBe(1_999_999_999n);
  expect(rawOf("0.0000000001", 9)).toBe(0n);
  expect(rawOf("18446744073709551615", 0)).toBe(2n ** 64n - 1n);
});

test("what is no amount, or more than a chain counts, is none", () => {
  for (const wrong of ["", "-1", "+1", ".5", "1,5", "0x10", "NaN", "Infinity", "1e9999", "1 2", "１"]) {
    expect(rawOf(wrong, 9)).toBeUndefined();
  }
  expect(rawOf("18446744073709551616", 0)).toBeUndefined();
  expect(rawOf("1e300", 9)).toBeUndefined();
});

test("an amount written out and read again is the same", () => {
  const raw = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(raw, fc.integer({ min: 0, max: 18 }), (units, decimals) => {
      expect(rawOf(amountOf(units, decimals), decimals)).toBe(units);
    }),
  );
});

test("a number told to others is never more than was moved, and exact where a float can be", () => {
  expect(numberOf(290_000_000n, 9)).toBe(0.29);
  const raw = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(raw, fc.integer({ min: 0, max: 18 }), (units, decimals) => {
      expect(rawOf(String(numberOf(units, decimals)), decimals)).toBeLessThanOrEqual(units);
    }),
  );
});
