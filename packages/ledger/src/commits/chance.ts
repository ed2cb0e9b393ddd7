import type { Random } from "@darkmatter/core";

/** Draws so many bytes; none of them is ever drawn again, whatever becomes of the commit they were for. */
export type Chance = (count: number) => Uint8Array;

/** Bytes drawn at once: the system's generator charges for the call, not for the bytes. */
const POOL_BYTES = 4096;

/** Chance for ids and salts, from a pool. */
export function createChance(random: Random): Chance {
  let pool = new Uint8Array();
  let used = 0;
  return (count) => {
    if (used + count > pool.length) {
      pool = new Uint8Array(random.bytes(Math.max(POOL_BYTES, count)));
      used = 0;
    }
    const drawn = pool.subarray(used, used + count);
    used += count;
    return drawn;
  };
}
