import type { Clock } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { serverError } from "../errors.ts";
import { type AgentKey, statusAt } from "./agent-key.ts";
import { agentKeysOf, insertAgentKey, insertKeyEvent } from "./agent-keys.store.ts";
import { KEYS_LOCK, requireRoom } from "./signing-keys.ts";

/** A key to be registered for an agent. */
export interface NewAgentKey {
  readonly keyId: string;
  /** 64 hex, admitted. */
  readonly publicKey: string;
}

export interface Registered {
  readonly version: number;
  readonly atMs: number;
}

/** Changes of an agent's keys; each is an event that stays (ledger.md 2.7). */
export interface AgentKeys {
  /** @throws key_exists when id or key is, or was, one of this agent's; invalid_request for an end that is over */
  register(
    tx: Write,
    agent: string,
    key: NewAgentKey & { readonly validUntilMs: number | null },
  ): Promise<Registered>;
  /** Puts a new key in an active one's place. @throws not_found, key_not_active, key_exists */
  rotate(
    tx: Write,
    agent: string,
    current: string,
    next: NewAgentKey,
    reason: string | null,
  ): Promise<Registered>;
  /** A second time changes nothing. @throws not_found */
  revoke(
    tx: Write,
    agent: string,
    keyId: string,
    reason: string,
  ): Promise<{ readonly atMs: number; readonly reason: string }>;
}

export function createAgentKeys(clock: Clock): AgentKeys {
  /** An agent's keys, held until the transaction is over, and the time from then on. */
  async function hold(tx: Write, agent: string): Promise<{ keys: readonly AgentKey[]; nowMs: number }> {
    await tx.lock(KEYS_LOCK);
    return { keys: await agentKeysOf(tx, agent), nowMs: Math.floor(clock.now()) };
  }

  return {
    async register(tx, agent, { validUntilMs, ...wanted }) {
      const { keys, nowMs } = await hold(tx, agent);
      requireNew(keys, wanted);
      if (validUntilMs !== null && validUntilMs <= nowMs)
        throw serverError("invalid_request", "`validUntil` is over already.");
      const version = await insertAgentKey(tx, { agent, ...wanted, validFromMs: nowMs, validUntilMs });
      return { version, atMs: nowMs };
    },

    async rotate(tx, agent, current, next, reason) {
      const { keys, nowMs } = await hold(tx, agent);
      const old = keys.find(({ keyId }) => keyId === current);
      if (!old) throw serverError("not_found");
      if (statusAt(old, nowMs) !== "active") throw serverError("key_not_active");
      requireNew(keys, next);
      const version = await insertAgentKey(tx, { agent, ...next, validFromMs: nowMs, validUntilMs: null });
      await insertKeyEvent(tx, agent, {
        kind: "rotated",
        keyId: current,
        newKeyId: next.keyId,
        reason,
        atMs: nowMs,
      });
      return { version, atMs: nowMs };
    },

    async revoke(tx, agent, keyId, reason) {
      const { keys, nowMs } = await hold(tx, agent);
      const key = keys.find((one) => one.keyId === keyId);
      if (!key) throw serverError("not_found");
      if (key.revokedMs !== null) return { atMs: key.revokedMs, reason: key.revocationReason ?? reason };
      await insertKeyEvent(tx, agent, { kind: "revoked", keyId, newKeyId: null, reason, atMs: nowMs });
      return { atMs: nowMs, reason };
    },
  };
}

/** The same key under a second id would outlive its revocation under the first. */
function requireNew(keys: readonly AgentKey[], wanted: NewAgentKey): void {
  requireRoom(keys.length);
  if (keys.some(({ keyId, publicKey }) => keyId === wanted.keyId || publicKey === wanted.publicKey))
    throw serverError("key_exists");
}
