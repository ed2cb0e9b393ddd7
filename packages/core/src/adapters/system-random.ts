import { type Random, uniformInteger } from "../random.ts";

const bytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));

/** The platform's cryptographic generator. */
export const systemRandom: Random = {
  bytes,
  integer: (below) => uniformInteger(below, bytes),
};
