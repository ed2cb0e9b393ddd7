/** What a chain can count: an unsigned 64-bit number of smallest units. */
const RAW_MAX = 2n ** 64n - 1n;
const DECIMAL = /^(\d{1,40})(?:\.(\d{0,80}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * A decimal text such as `0.29` or `1e-9` in smallest units; `undefined` for what is no such text, or more than a chain
 * counts. Digits beyond `decimals` are cut (mesh.md 12: the floor), or with `up` count as one unit more. Never by way of
 * a float: 0.29 SOL is 290000000.
 */
export function rawOf(
  amount: string,
  decimals: number,
  rounding: "down" | "up" = "down",
): bigint | undefined {
  const [, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(amount.trim()) ?? [];
  if (whole === "") return undefined;
  // An exponent of three digits still makes a number of at most 1,000 digits.
  const shift = decimals + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const unit = 10n ** BigInt(Math.abs(shift));
  const raw = shift >= 0 ? digits * unit : (digits + (rounding === "up" ? unit - 1n : 0n)) / unit;
  return raw > RAW_MAX ? undefined : raw;
}

/** Smallest units as decimal text, without needless zeros. */
export function amountOf(raw: bigint, decimals: number): string {
  const digits = raw.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** An amount as a JSON number, for nodes of the first generation: never more than was moved. */
export function numberOf(raw: bigint, decimals: number): number {
  const near = Number(amountOf(raw, decimals));
  return (rawOf(String(near), decimals) ?? raw + 1n) <= raw ? near : near * (1 - Number.EPSILON);
}
