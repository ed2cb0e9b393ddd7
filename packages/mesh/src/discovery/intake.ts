import { SECOND_MS } from "@darkmatter/core";

/** Packets of one address that are read: at once, and each second after. Many agents may share a machine. */
export const SOURCE_BURST = 40;
export const SOURCE_PER_SECOND = 5;
/** Signatures checked each second, of addresses where agents are known to be and of all others: a share for each. */
export const CHECKS_PER_SECOND = 100;
/** Addresses remembered; beyond it new ones wait until others have been quiet. */
const SOURCES_MAX = 1024;

/** How much of what the local network says is looked at, so that a flood costs little and drowns few. */
export interface Intake {
  /** Whether a packet from an address is to be read. */
  reads(address: string): boolean;
  /** Whether a signature from there is to be checked. */
  checks(isKnown: boolean): boolean;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** `monotonic` in milliseconds. */
export function createIntake(monotonic: () => number): Intake {
  const sources = new Map<string, Bucket>();
  const full = (): Bucket => ({ tokens: CHECKS_PER_SECOND, atMs: monotonic() });
  const checksOf = { known: full(), others: full() };

  function makeRoom(nowMs: number): void {
    const quietMs = (SOURCE_BURST / SOURCE_PER_SECOND) * SECOND_MS;
    for (const [address, { atMs }] of sources) if (nowMs - atMs >= quietMs) sources.delete(address);
  }

  return {
    reads(address) {
      const nowMs = monotonic();
      let bucket = sources.get(address);
      if (!bucket) {
        if (sources.size >= SOURCES_MAX) makeRoom(nowMs);
        if (sources.size >= SOURCES_MAX) return false;
        bucket = { tokens: SOURCE_BURST, atMs: nowMs };
        sources.set(address, bucket);
      }
      return take(bucket, nowMs, SOURCE_PER_SECOND, SOURCE_BURST);
    },
    checks: (isKnown) =>
      take(isKnown ? checksOf.known : checksOf.others, monotonic(), CHECKS_PER_SECOND, CHECKS_PER_SECOND),
  };
}

function take(bucket: Bucket, nowMs: number, perSecond: number, max: number): boolean {
  bucket.tokens = Math.min(max, bucket.tokens + ((nowMs - bucket.atMs) / SECOND_MS) * perSecond);
  bucket.atMs = nowMs;
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
