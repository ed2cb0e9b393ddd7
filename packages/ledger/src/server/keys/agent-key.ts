/** A key that an agent signs envelopes with, and what became of it (ledger.md 2.7). Times are unix ms. */
export interface AgentKey {
  readonly agent: string;
  readonly keyId: string;
  /** 64 hex. */
  readonly publicKey: string;
  /** From 1, in the order of registration. */
  readonly version: number;
  readonly validFromMs: number;
  /** As it was registered; `null` for no end. */
  readonly validUntilMs: number | null;
  readonly rotatedMs: number | null;
  readonly revokedMs: number | null;
  readonly revocationReason: string | null;
}

/** `early`: before it was registered. `expired`: after the end it was registered with. */
export type AgentKeyStatus = "active" | "rotated" | "revoked" | "expired" | "early";

/** What a key was at a time. Only an `active` one may sign what is accepted then; a revocation outweighs the rest. */
export function statusAt(key: AgentKey, atMs: number): AgentKeyStatus {
  const isReached = (ms: number | null) => ms !== null && ms <= atMs;
  if (isReached(key.revokedMs)) return "revoked";
  if (isReached(key.rotatedMs)) return "rotated";
  if (isReached(key.validUntilMs)) return "expired";
  return key.validFromMs > atMs ? "early" : "active";
}

/** When a key ends for new commits without being revoked; `null` for no end. */
export function validUntilMs(key: AgentKey): number | null {
  const ends = [key.validUntilMs, key.rotatedMs].filter((ms) => ms !== null);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** Of an agent's keys in their order: the newest that was active at a time, else the newest there was. */
export function keyInForce(keys: readonly AgentKey[], atMs: number): AgentKey | undefined {
  const known = keys.filter((key) => key.validFromMs <= atMs);
  return known.findLast((key) => statusAt(key, atMs) === "active") ?? known.at(-1);
}
