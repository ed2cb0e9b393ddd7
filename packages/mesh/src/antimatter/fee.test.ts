import fc from "fast-check";
import { expect, test } from "vitest";
import { agreesOnRate, FEE_RATE, feeOf } from "./fee.ts";

test("a fee is the exact share, cut to the smallest unit", () => {
  expect(feeOf(2_000_000_000n, 0.01)).toBe(20_000_000n);
  expect(feeOf(99n, 0.01)).toBe(0n);
  expect(feeOf(199n, 0.01)).toBe(1n);
  // By floats: 0.29 × 0.01 = 0.0029000000000000002.
  expect(feeOf(290_000_000n, 0.01)).toBe(2_900_000n);
  expect(feeOf(2n ** 64n - 1n, 0.01)).toBe(184_467_440_737_095_516n);
  expect(feeOf(10n ** 12n, 1e-9)).toBe(1000n);
});

test("no rate makes a fee of nothing, and no fee is more than its share", () => {
  const rates = fc.oneof(
    fc.double(),
    fc.constantFrom(Number.NaN, -0.01, Number.POSITIVE_INFINITY, 1e300, 5e-324),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -5n, max: 2n ** 64n }), rates, (raw, rate) => {
      const fee = feeOf(raw, rate);
      expect(fee >= 0n).toBe(true);
      if (!(rate > 0) || raw <= 0n || !Number.isFinite(rate)) expect(fee).toBe(0n);
      else if (rate <= 1) expect(fee <= raw).toBe(true);
    }),
  );
});

test("rates agree within a tenth of a percent", () => {
  expect([0.01, 0.0105, 0.011, 0.009].map(agreesOnRate)).toEqual([true, true, true, true]);
  expect([0.02, 0, -0.01, 0.0089, 50, Number.NaN].map(agreesOnRate)).toEqual(new Array(6).fill(false));
  expect(agreesOnRate(FEE_RATE)).toBe(true);
});
