/** Chance, as everything in DarkMatter sees it. Cryptographic in production, seeded in tests and `sim/`. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** A uniform integer in [0, below). `below` is a whole number from 1 to 2^48. */
  integer(below: number): number;
}

const TWO_48 = 2 ** 48;

/** What each `Random` makes its integers from. Rejects a draw rather than bending the distribution. */
export function uniformInteger(below: number, bytes: Random["bytes"]): number {
  if (!Number.isInteger(below) || below < 1 || below > TWO_48)
    throw new RangeError(`no integer below ${below}`);
  // The topmost, incomplete run of `below` values is drawn again.
  const limit = TWO_48 - (TWO_48 % below);
  for (;;) {
    const value = bytes(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (value < limit) return value % below;
  }
}
