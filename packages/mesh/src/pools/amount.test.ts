import fc from "fast-check";
import { expect, test } from "vitest";
import { amountNumber, amountText, parseAmount } from "./amount.ts";

test.each([
  [0.1, "0.1"],
  [1e-7, "0.0000001"],
  [1e-9, "0.000000001"],
  [1e-10, "0"],
  [0.30000000000000004, "0.3"],
  [1e15, "1000000000000000"],
  ["0.025", "0.025"],
  ["1.0000000019", "1.000000001"],
  [0, "0"],
])("%j is %s", (value, text) => {
  expect(amountText(parseAmount(value) ?? -1n)).toBe(text);
});

test.each([
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1e19,
  1e300,
  "",
  "-1",
  "1,5",
  "0x1",
  " 1",
  "1e999",
  null,
  {},
])("%j is no amount", (value) => {
  expect(parseAmount(value as never)).toBeUndefined();
});

test("a tenth added ten times is one, and what is written is read back", () => {
  const tenth = parseAmount(0.1) ?? 0n;
  expect(amountText(Array.from({ length: 10 }, () => tenth).reduce((sum, one) => sum + one, 0n))).toBe("1");
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), (amount) => {
      expect(parseAmount(amountText(amount))).toBe(amount);
      expect(parseAmount(amountNumber(amount))).toBe(amount);
    }),
  );
});
