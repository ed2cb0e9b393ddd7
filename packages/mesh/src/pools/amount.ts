import type { Json } from "@darkmatter/core";

/**
 * Money in whole billionths of its token (of a SOL: lamports), so that sums are exact. On the wire amounts stay JSON
 * numbers (mesh.md 11.2).
 */
export type Amount = bigint;

export const DECIMALS = 9;
const UNIT = 10n ** BigInt(DECIMALS);
/** Larger than any supply, and far from where a text of digits becomes a burden. */
const AMOUNT_MAX: Amount = 10n ** 18n * UNIT;

const DECIMAL = /^(\d{1,19})(?:\.(\d{1,400}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Reads a number or a decimal text exactly as it is written. Digits beyond the ninth decimal are cut off: never in
 * favour of who names the amount. `undefined` for what is negative, no number, or too large.
 */
export function parseAmount(value: Json | undefined): Amount | undefined {
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const [, whole, fraction = "", exponent = "0"] = DECIMAL.exec(String(value)) ?? [];
  if (whole === undefined) return undefined;
  const digits = BigInt(whole + fraction);
  const shift = DECIMALS - fraction.length + Number(exponent);
  if (shift > 60) return digits === 0n ? 0n : undefined;
  const amount = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return amount <= AMOUNT_MAX ? amount : undefined;
}

/** `0.015`, without trailing zeros. */
export function amountText(amount: Amount): string {
  const sign = amount < 0n ? "-" : "";
  const size = amount < 0n ? -amount : amount;
  const fraction = String(size % UNIT)
    .padStart(DECIMALS, "0")
    .replace(/0+$/, "");
  return `${sign}${size / UNIT}${fraction && `.${fraction}`}`;
}

/** The JSON number nearest to an amount. */
export const amountNumber = (amount: Amount): number => Number(amountText(amount));
