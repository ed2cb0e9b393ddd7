import { isJsonObject, parseJson, toHex } from "@darkmatter/core";
import { ledgerError } from "../../errors.ts";
import type { Claims, StoredCommit } from "./commit.ts";

export type CommitRow = {
  position: number;
  id: string;
  account: number;
  agent: string;
  agent_name: string;
  to_agent: string;
  to_agent_name: string;
  trace: string | null;
  branch: string;
  parent: number | null;
  parent_id: string | null;
  parent_chain_hash: Uint8Array | null;
  parent_integrity_hash: Uint8Array | null;
  root: number;
  root_id: string;
  depth: number;
  fork_of: string | null;
  fork_point: string | null;
  event: string;
  label: string | null;
  role: string | null;
  provider: string | null;
  model: string | null;
  client_time: string;
  key_id: string;
  accepted_ms: number;
  claims: string | null;
  payload: string | null;
  pruned_ms: number | null;
  payload_hash: Uint8Array;
  chain_hash: Uint8Array;
  integrity_hash: Uint8Array;
  leaf: Uint8Array;
  log_root: Uint8Array;
};

/** Rows of `ledger_commits c` with all that is shown of them; a condition on `c` and an order follow. */
export const SELECT_COMMITS = `SELECT c.position, c.id, c.account, c.agent, a.name AS agent_name, c.to_agent,
  t.name AS to_agent_name, c.trace, c.branch, c.parent, p.id AS parent_id, p.chain_hash AS parent_chain_hash,
  p.integrity_hash AS parent_integrity_hash, c.root, r.id AS root_id, c.depth, c.fork_of, c.fork_point, c.event,
  c.label, c.role, c.provider, c.model, c.client_time, c.key_id, c.accepted_ms, c.claims, y.payload, x.pruned_ms,
  c.payload_hash, c.chain_hash, c.integrity_hash, c.leaf, c.log_root
FROM ledger_commits c
  JOIN ledger_agents a ON a.id = c.agent
  JOIN ledger_agents t ON t.id = c.to_agent
  JOIN ledger_commits r ON r.position = c.root
  LEFT JOIN ledger_commits p ON p.position = c.parent
  LEFT JOIN ledger_payloads y ON y.position = c.position
  LEFT JOIN ledger_pruned x ON x.position = c.position`;

const hexOrNull = (bytes: Uint8Array | null) => (bytes === null ? null : toHex(bytes));

/** Of the latest time that a date can say, in ms. */
const TIME_MAX = 8.64e15;
const CLAIMED_TEXTS = ["metadata", "attestation", "envelope", "agentSignature", "agentPublicKey"];

/** `undefined` for a column that somebody put something else into. */
function claimsOf(text: unknown): Claims | undefined {
  const value = typeof text === "string" ? parseJson(text) : undefined;
  if (value === undefined || !isJsonObject(value)) return undefined;
  const isWhole =
    typeof value.clientSigned === "boolean" &&
    typeof value.signatureStatus === "string" &&
    CLAIMED_TEXTS.every((name) => value[name] === undefined || typeof value[name] === "string") &&
    (value.warnings === undefined || Array.isArray(value.warnings));
  return isWhole ? (value as unknown as Claims) : undefined;
}

const textsOf = (row: CommitRow): readonly unknown[] => [
  ...[row.id, row.agent, row.agent_name, row.to_agent, row.to_agent_name, row.trace, row.branch],
  ...[row.fork_of, row.fork_point, row.event, row.label, row.role, row.provider, row.model],
  ...[row.client_time, row.key_id, row.payload],
];

/** SQLite keeps whatever it is given. */
const isTextOrNull = (value: unknown) => value === null || typeof value === "string";

/** A commit as it is used. @throws LEDGER_DAMAGED for a row that no commit was written as */
export function commitOfRow(row: CommitRow): StoredCommit {
  const hashes = [row.payload_hash, row.chain_hash, row.integrity_hash, row.leaf, row.log_root];
  const parents = [row.parent_chain_hash, row.parent_integrity_hash].filter((hash) => hash !== null);
  const claims = claimsOf(row.claims);
  const isTime = Number.isSafeInteger(row.accepted_ms) && Math.abs(row.accepted_ms) <= TIME_MAX;
  const isReadable =
    [...hashes, ...parents].every((hash) => hash instanceof Uint8Array) && textsOf(row).every(isTextOrNull);
  if (!claims || !isTime || !isReadable)
    throw ledgerError("LEDGER_DAMAGED", `The commit at position ${row.position} is unreadable.`);
  return {
    position: row.position,
    id: row.id,
    account: row.account,
    agent: row.agent,
    agentName: row.agent_name,
    toAgent: row.to_agent,
    toAgentName: row.to_agent_name,
    trace: row.trace,
    branch: row.branch,
    parent: row.parent,
    parentId: row.parent_id,
    parentChainHash: hexOrNull(row.parent_chain_hash),
    parentIntegrityHash: hexOrNull(row.parent_integrity_hash),
    root: row.root,
    rootId: row.root_id,
    depth: row.depth,
    forkOf: row.fork_of,
    forkPoint: row.fork_point,
    event: row.event,
    label: row.label,
    role: row.role,
    provider: row.provider,
    model: row.model,
    timestamp: row.client_time,
    keyId: row.key_id,
    acceptedMs: row.accepted_ms,
    claims,
    payload: row.payload,
    prunedMs: row.pruned_ms,
    payloadHash: toHex(row.payload_hash),
    chainHash: toHex(row.chain_hash),
    integrityHash: toHex(row.integrity_hash),
    leaf: toHex(row.leaf),
    logRoot: toHex(row.log_root),
  };
}
