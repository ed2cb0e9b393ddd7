import type { Migration, Read, Write } from "@darkmatter/store";
import { insertOnly } from "../insert-only.ts";
import type { AgentKey } from "./agent-key.ts";

export const agentKeyMigrations: readonly Migration[] = insertOnly(
  "ledger-server/021-agent-keys",
  ["ledger_agent_keys", "ledger_agent_key_events"],
  [
    `CREATE TABLE ledger_agent_keys (
       agent TEXT NOT NULL,
       key_id TEXT NOT NULL,
       public_key TEXT NOT NULL,
       version BIGINT NOT NULL,
       valid_from_ms BIGINT NOT NULL,
       valid_until_ms BIGINT,
       PRIMARY KEY (agent, key_id),
       UNIQUE (agent, version)
     )`,
    // Each kind happens to a key once.
    `CREATE TABLE ledger_agent_key_events (
       agent TEXT NOT NULL,
       seq BIGINT NOT NULL,
       kind TEXT NOT NULL CHECK (kind IN ('registered', 'rotated', 'revoked')),
       key_id TEXT NOT NULL,
       new_key_id TEXT,
       reason TEXT,
       at_ms BIGINT NOT NULL,
       PRIMARY KEY (agent, seq),
       UNIQUE (agent, key_id, kind)
     )`,
  ],
);

/** What happened to a key. */
export interface AgentKeyEvent {
  readonly kind: "registered" | "rotated" | "revoked";
  readonly keyId: string;
  /** Of a rotation: what follows it. */
  readonly newKeyId: string | null;
  readonly reason: string | null;
  readonly atMs: number;
}

type AgentKeyRow = {
  agent: string;
  key_id: string;
  public_key: string;
  version: number;
  valid_from_ms: number;
  valid_until_ms: number | null;
  rotated_ms: number | null;
  revoked_ms: number | null;
  revocation_reason: string | null;
};

const SELECT_KEYS = `SELECT k.agent, k.key_id, k.public_key, k.version, k.valid_from_ms, k.valid_until_ms,
    o.at_ms AS rotated_ms, v.at_ms AS revoked_ms, v.reason AS revocation_reason
  FROM ledger_agent_keys k
  LEFT JOIN ledger_agent_key_events o ON o.agent = k.agent AND o.key_id = k.key_id AND o.kind = 'rotated'
  LEFT JOIN ledger_agent_key_events v ON v.agent = k.agent AND v.key_id = k.key_id AND v.kind = 'revoked'
  WHERE k.agent = ?`;

const fromRow = (row: AgentKeyRow): AgentKey => ({
  agent: row.agent,
  keyId: row.key_id,
  publicKey: row.public_key,
  version: row.version,
  validFromMs: row.valid_from_ms,
  validUntilMs: row.valid_until_ms,
  rotatedMs: row.rotated_ms,
  revokedMs: row.revoked_ms,
  revocationReason: row.revocation_reason,
});

/**
 * A key of an agent, whatever became of it. `statusAt` says what it was when a commit is, or was, accepted: `active`
 * with a `revokedMs` was revoked after that (ledger.md 2.7: `revoked_post_commit`).
 */
export async function findAgentKey(read: Read, agent: string, keyId: string): Promise<AgentKey | undefined> {
  const row = await read.get<AgentKeyRow>(`${SELECT_KEYS} AND k.key_id = ?`, agent, keyId);
  return row && fromRow(row);
}

/** All keys of an agent, in the order they were registered. */
export async function agentKeysOf(read: Read, agent: string): Promise<AgentKey[]> {
  const rows = await read.all<AgentKeyRow>(`${SELECT_KEYS} ORDER BY k.version`, agent);
  return rows.map(fromRow);
}

/** What happened to an agent's keys, oldest first. */
export async function agentKeyEventsOf(read: Read, agent: string): Promise<AgentKeyEvent[]> {
  const rows = await read.all<{
    kind: AgentKeyEvent["kind"];
    key_id: string;
    new_key_id: string | null;
    reason: string | null;
    at_ms: number;
  }>(
    `SELECT kind, key_id, new_key_id, reason, at_ms FROM ledger_agent_key_events
     WHERE agent = ? ORDER BY seq`,
    agent,
  );
  return rows.map((row) => ({
    kind: row.kind,
    keyId: row.key_id,
    newKeyId: row.new_key_id,
    reason: row.reason,
    atMs: row.at_ms,
  }));
}

/** A key and the event of its registration; its version. */
export async function insertAgentKey(
  tx: Write,
  key: Pick<AgentKey, "agent" | "keyId" | "publicKey" | "validFromMs" | "validUntilMs">,
): Promise<number> {
  const newest = await tx.get<{ version: number | null }>(
    "SELECT MAX(version) AS version FROM ledger_agent_keys WHERE agent = ?",
    key.agent,
  );
  const version = (newest?.version ?? 0) + 1;
  await tx.run(
    `INSERT INTO ledger_agent_keys (agent, key_id, public_key, version, valid_from_ms, valid_until_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
    key.agent,
    key.keyId,
    key.publicKey,
    version,
    key.validFromMs,
    key.validUntilMs,
  );
  const atMs = key.validFromMs;
  await insertKeyEvent(tx, key.agent, {
    kind: "registered",
    keyId: key.keyId,
    newKeyId: null,
    reason: null,
    atMs,
  });
  return version;
}

export async function insertKeyEvent(tx: Write, agent: string, event: AgentKeyEvent): Promise<void> {
  const newest = await tx.get<{ seq: number | null }>(
    "SELECT MAX(seq) AS seq FROM ledger_agent_key_events WHERE agent = ?",
    agent,
  );
  await tx.run(
    `INSERT INTO ledger_agent_key_events (agent, seq, kind, key_id, new_key_id, reason, at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    agent,
    (newest?.seq ?? 0) + 1,
    event.kind,
    event.keyId,
    event.newKeyId,
    event.reason,
    event.atMs,
  );
}
