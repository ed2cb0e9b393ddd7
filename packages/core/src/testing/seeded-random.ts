import { type Random, uniformInteger } from "../random.ts";

/** The same seed gives the same bytes for ever: a failure found by chance is found again. Never for keys in use. */
export function seededRandom(seed: number): Random {
  const next = sfc32(seed);
  const bytes = (count: number) => {
    const drawn = new Uint8Array(count);
    for (let at = 0; at < count; at++) drawn[at] = next();
    return drawn;
  };
  return { bytes, integer: (below) => uniformInteger(below, bytes) };
}

/** Small Fast Counter, 32 bits (Chris Doty-Humphrey, PractRand): 128 bits of state. */
function sfc32(seed: number): () => number {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / 2 ** 32) | 0, 0x9e3779b9 | 0, 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // Near seeds start near each other: mix until they no longer do.
  for (let round = 0; round < 15; round++) next();
  return next;
}
