/**
 * A finite double as C's `%.17g` writes it: 17 digits of its exact value, ties to even, without trailing zeros. Where
 * that would look like an integer, `.0` follows (ledger.md 2.2).
 */
export function float17(value: number): string {
  if (value === 0) return floatShortest(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e17) return withoutZeros(tieToEven(value, value.toPrecision(17), 0));
  const text = value.toExponential(16);
  const split = text.indexOf("e");
  const digits = tieToEven(value, text.slice(0, split), Number(text.slice(split + 1)));
  return withoutZeros(digits).replace(/\.0$/, "") + padded(text.slice(split));
}

/** A finite double in the fewest digits that read back as the same, laid out as Python's `repr` (ledger.md 2.3). */
export function floatShortest(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size < 1e16 && (size >= 1e-4 || size === 0)) return Number.isInteger(value) ? `${value}.0` : `${value}`;
  const text = value.toExponential();
  const split = text.indexOf("e");
  return text.slice(0, split) + padded(text.slice(split));
}

/**
 * ECMAScript chooses the digits from the exact value, as C does, but of two equally near it takes the larger.
 *
 * Two are equally near when the value is d / 10^k, k being one more than the `decimals` there are, and d ends in 5.
 * As the value is a binary fraction, value * 2^k = d / 5^k is then an odd integer. The other way round, an odd integer
 * over 2^k has k decimals, the last of them 5. (A double of size 10^16 or more has no such k: times 2^k it would be
 * above 2^53, and even.) Multiplying by a power of two loses nothing.
 */
function tieToEven(value: number, digits: string, exponent: number): string {
  const point = digits.indexOf(".");
  const decimals = point < 0 ? 0 : digits.length - point - 1 - exponent;
  if (Math.abs((value * 2 ** (decimals + 1)) % 2) !== 1) return digits;
  const last = digits.charCodeAt(digits.length - 1) - 0x30;
  return last % 2 === 0 ? digits : `${digits.slice(0, -1)}${last - 1}`;
}

/** Leaves at least one digit after the point. */
function withoutZeros(digits: string): string {
  const point = digits.indexOf(".");
  if (point < 0) return `${digits}.0`;
  let end = digits.length;
  while (end > point + 2 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}

/** `e-7` becomes `e-07`. */
function padded(exponent: string): string {
  return exponent.length < 4 ? `${exponent.slice(0, 2)}0${exponent.slice(2)}` : exponent;
}
