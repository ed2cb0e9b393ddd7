import type { Random } from "../random.ts";

const TWO_48 = 2 ** 48;

/** The platform's cryptographic generator. */
export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),

  integer(below) {
    // Rejection keeps the result uniform: the topmost, incomplete run of `below` values is drawn again.
    const limit = TWO_48 - (TWO_48 % below);
    for (;;) {
      const view = new DataView(crypto.getRandomValues(new Uint8Array(8)).buffer);
      const value = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
      if (value < limit) return value % below;
    }
  },
};
