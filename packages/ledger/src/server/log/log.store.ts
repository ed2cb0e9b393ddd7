import { toHex } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import {
  CHECKPOINTS,
  WITNESS_SIGNATURES,
  WITNESS_SIGNATURES_BY_AGENT,
} from "../../checkpoints/checkpoints.store.ts";
import { ledgerError } from "../../errors.ts";
import { insertOnly } from "../insert-only.ts";

const AROUND = [
  // Goes with the state it lies in: once a newer one is put back, all is well again.
  "CREATE TABLE ledger_newer (one INTEGER PRIMARY KEY CHECK (one = 1), signed TEXT NOT NULL)",
  `CREATE TABLE ledger_witnesses (
     witness_id TEXT PRIMARY KEY,
     public_key TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     endpoint TEXT,
     registered_ms BIGINT NOT NULL
   )`,
];

export const logMigrations: readonly Migration[] = [
  ...insertOnly(
    "ledger-server/020-checkpoints",
    ["ledger_checkpoints", "ledger_witness_signatures"],
    [CHECKPOINTS, WITNESS_SIGNATURES, WITNESS_SIGNATURES_BY_AGENT],
  ),
  { name: "ledger-server/021-witnesses", sql: AROUND },
  {
    name: "ledger-server/022-checkpoints-grow",
    dialects: ["sqlite"],
    sql: [
      // A REPLACE would go past the trigger on DELETE.
      `CREATE TRIGGER ledger_checkpoints_grow BEFORE INSERT ON ledger_checkpoints
       WHEN EXISTS (SELECT 1 FROM ledger_checkpoints WHERE tree_size >= new.tree_size)
       BEGIN SELECT RAISE(ABORT, 'a checkpoint covers more than the one before it'); END`,
    ],
  },
  {
    name: "ledger-server/022-checkpoints-grow-postgres",
    dialects: ["postgres"],
    sql: [
      `CREATE FUNCTION ledger_checkpoints_grow() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN
         IF EXISTS (SELECT 1 FROM ledger_checkpoints WHERE tree_size >= NEW.tree_size) THEN
           RAISE EXCEPTION 'a checkpoint covers more than the one before it';
         END IF;
         RETURN NEW;
       END $$`,
      `CREATE TRIGGER ledger_checkpoints_grow BEFORE INSERT ON ledger_checkpoints
       FOR EACH ROW EXECUTE FUNCTION ledger_checkpoints_grow()`,
    ],
  },
  ...insertOnly(
    "ledger-server/023-log-keys",
    ["ledger_log_keys"],
    ["CREATE TABLE ledger_log_keys (public_key TEXT PRIMARY KEY, since_ms BIGINT NOT NULL)"],
  ),
];

/** A key takes the log: from then on nobody signs it who does not know this key. */
export async function insertLogKey(tx: Write, publicKey: string, sinceMs: number): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_log_keys (public_key, since_ms) VALUES (?, ?) ON CONFLICT (public_key) DO NOTHING",
    publicKey,
    sinceMs,
  );
}

/** Every key that took this log, 64 hex each, oldest first. */
export async function keysOfLog(read: Read): Promise<string[]> {
  const sql = "SELECT public_key FROM ledger_log_keys ORDER BY since_ms, public_key";
  return (await read.all<{ public_key: string }>(sql)).map(({ public_key }) => public_key);
}

/** Of each key that signed checkpoints: the newest of them, named by its size. */
export async function lastSizeByTag(read: Read): Promise<number[]> {
  const rows = await read.all<{ size: number }>(
    `SELECT max(tree_size) AS size FROM ledger_checkpoints
     GROUP BY substr(checkpoint_id, length(checkpoint_id) - 7)`,
  );
  return rows.map(({ size }) => size);
}

/** A witness that an operator registered. */
export interface RegisteredWitness {
  readonly witnessId: string;
  /** 64 hex. */
  readonly publicKey: string;
  readonly name: string;
  /** Where it is asked; `null` for one that signs by itself. */
  readonly endpoint: string | null;
  readonly registeredMs: number;
}

type WitnessRow = {
  witness_id: string;
  public_key: string;
  name: string;
  endpoint: string | null;
  registered_ms: number;
};

const witnessFrom = (row: WitnessRow): RegisteredWitness => ({
  witnessId: row.witness_id,
  publicKey: row.public_key,
  name: row.name,
  endpoint: row.endpoint,
  registeredMs: row.registered_ms,
});

/** Registers a witness, or gives a registered one another name and endpoint. */
export async function putWitness(tx: Write, witness: RegisteredWitness): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_witnesses (witness_id, public_key, name, endpoint, registered_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (witness_id) DO UPDATE SET name = excluded.name, endpoint = excluded.endpoint`,
    witness.witnessId,
    witness.publicKey,
    witness.name,
    witness.endpoint,
    witness.registeredMs,
  );
}

export async function witnessById(read: Read, witnessId: string): Promise<RegisteredWitness | undefined> {
  const row = await read.get<WitnessRow>("SELECT * FROM ledger_witnesses WHERE witness_id = ?", witnessId);
  return row && witnessFrom(row);
}

export async function allWitnesses(read: Read): Promise<RegisteredWitness[]> {
  const rows = await read.all<WitnessRow>(
    "SELECT * FROM ledger_witnesses ORDER BY registered_ms, witness_id",
  );
  return rows.map(witnessFrom);
}

/** What a log says of one commit: nothing of its payload, agent or account. Bare hex. */
export interface LogEntry {
  readonly position: number;
  readonly id: string;
  readonly acceptedMs: number;
  /** Scheme 2. */
  readonly integrityHash: string;
  readonly leaf: string;
  readonly logRoot: string;
  readonly nodes: readonly string[];
}

type EntryRow = {
  position: number;
  id: string;
  accepted_ms: number;
  integrity_hash: Uint8Array;
  leaf: Uint8Array;
  log_root: Uint8Array;
  nodes: Uint8Array;
};

const ENTRIES = "SELECT position, id, accepted_ms, integrity_hash, leaf, log_root, nodes FROM ledger_commits";
const HASH_BYTES = 32;

function entryFrom(row: EntryRow): LogEntry {
  const hashes = [row.integrity_hash, row.leaf, row.log_root, row.nodes];
  const isWhole =
    hashes.every((hash) => hash instanceof Uint8Array && hash.length % HASH_BYTES === 0) &&
    typeof row.id === "string" &&
    Number.isSafeInteger(row.accepted_ms);
  if (!isWhole) throw ledgerError("LEDGER_DAMAGED", `The commit at position ${row.position} is unreadable.`);
  return {
    position: row.position,
    id: row.id,
    acceptedMs: row.accepted_ms,
    integrityHash: toHex(row.integrity_hash),
    leaf: toHex(row.leaf),
    logRoot: toHex(row.log_root),
    nodes: nodesIn(row.nodes),
  };
}

function nodesIn(bytes: Uint8Array): string[] {
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    toHex(bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
  );
}

/** The entry of a commit, whose ever it is: what is said of it is no secret. */
export async function entryById(read: Read, id: string): Promise<LogEntry | undefined> {
  const row = await read.get<EntryRow>(`${ENTRIES} WHERE id = ?`, id);
  return row && entryFrom(row);
}

/** The entries from a position to before another. */
export async function entriesBetween(read: Read, from: number, to: number): Promise<LogEntry[]> {
  const rows = await read.all<EntryRow>(
    `${ENTRIES} WHERE position >= ? AND position < ? ORDER BY position`,
    from,
    to,
  );
  return rows.map(entryFrom);
}

/** What a commit's parent says of the chain both are in. */
export interface ParentLink {
  readonly account: number;
  readonly root: number;
  readonly depth: number;
}

/** By the position of the child, from one position to before another; nothing for those that have no parent there. */
export async function linksBetween(read: Read, from: number, to: number): Promise<Map<number, ParentLink>> {
  const rows = await read.all<{ child: number; account: number; root: number; depth: number }>(
    `SELECT c.position AS child, p.account, p.root, p.depth
     FROM ledger_commits c JOIN ledger_commits p ON p.position = c.parent
     WHERE c.position >= ? AND c.position < ?`,
    from,
    to,
  );
  return new Map(rows.map(({ child, ...link }) => [child, link]));
}

/** Payloads that belong to no commit. */
export async function countStrayPayloads(read: Read): Promise<number> {
  const row = await read.get<{ stray: number }>(
    `SELECT count(*) AS stray FROM ledger_payloads y
     WHERE NOT EXISTS (SELECT 1 FROM ledger_commits c WHERE c.position = y.position)`,
  );
  return row?.stray ?? 0;
}
