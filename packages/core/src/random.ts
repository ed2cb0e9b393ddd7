/** Chance, as everything in DarkMatter sees it. Cryptographic in production, seeded in tests and `sim/`. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** A uniform integer in [0, below). `below` is at most 2^48. */
  integer(below: number): number;
}
