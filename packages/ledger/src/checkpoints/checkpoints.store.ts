import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { CheckpointBounds, WitnessSignature } from "./checkpoints.ts";

/** What was signed for others to see is never taken back, so neither table lets a row be changed or removed. */
const onlyAdded = (table: string): string[] =>
  ["UPDATE", "DELETE"].map(
    (act) =>
      `CREATE TRIGGER ${table}_no_${act.toLowerCase()} BEFORE ${act} ON ${table}
       BEGIN SELECT RAISE(ABORT, '${table} is only added to'); END`,
  );

// A server's log has the same tables, on both engines, and is read by the same code.
export const CHECKPOINTS = `CREATE TABLE ledger_checkpoints (
  tree_size BIGINT PRIMARY KEY,
  checkpoint_id TEXT NOT NULL UNIQUE,
  tree_root TEXT NOT NULL,
  log_root TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  previous_cp_id TEXT,
  previous_tree_root TEXT,
  server_sig TEXT NOT NULL
)`;
export const WITNESS_SIGNATURES = `CREATE TABLE ledger_witness_signatures (
  tree_size BIGINT NOT NULL REFERENCES ledger_checkpoints (tree_size),
  witness_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  name TEXT,
  signature TEXT NOT NULL,
  witnessed_at TEXT NOT NULL,
  PRIMARY KEY (tree_size, witness_id)
)`;
export const WITNESS_SIGNATURES_BY_AGENT =
  "CREATE INDEX ledger_witness_signatures_agent ON ledger_witness_signatures (agent_id, tree_size)";

export const checkpointMigrations: readonly Migration[] = [
  {
    name: "ledger/010-checkpoints",
    dialects: ["sqlite"],
    sql: [
      CHECKPOINTS.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"),
      ...onlyAdded("ledger_checkpoints"),
      // A REPLACE would go past the trigger on DELETE.
      `CREATE TRIGGER ledger_checkpoints_grow BEFORE INSERT ON ledger_checkpoints
       WHEN EXISTS (SELECT 1 FROM ledger_checkpoints WHERE tree_size >= new.tree_size)
       BEGIN SELECT RAISE(ABORT, 'a checkpoint covers more than the one before it'); END`,
      `${WITNESS_SIGNATURES} WITHOUT ROWID`,
      WITNESS_SIGNATURES_BY_AGENT,
      ...onlyAdded("ledger_witness_signatures"),
    ],
  },
  {
    name: "ledger/012-newer",
    dialects: ["sqlite"],
    sql: [
      // Goes with the state it lies in: once a newer one is put back, all is well again.
      "CREATE TABLE ledger_newer (one INTEGER PRIMARY KEY CHECK (one = 1), signed TEXT NOT NULL)",
    ],
  },
];

type CheckpointRow = {
  tree_size: number;
  checkpoint_id: string;
  tree_root: string;
  log_root: string;
  timestamp: string;
  previous_cp_id: string | null;
  previous_tree_root: string | null;
  server_sig: string;
};

const fromRow = (row: CheckpointRow): SignedCheckpoint => ({
  ...row,
  schema_version: "3",
  log_position: row.tree_size - 1,
  position: row.tree_size - 1,
});

export async function insertCheckpoint(tx: Write, checkpoint: SignedCheckpoint): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_checkpoints (tree_size, checkpoint_id, tree_root, log_root, timestamp, previous_cp_id,
       previous_tree_root, server_sig) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    checkpoint.tree_size,
    checkpoint.checkpoint_id,
    checkpoint.tree_root,
    checkpoint.log_root,
    checkpoint.timestamp,
    checkpoint.previous_cp_id,
    checkpoint.previous_tree_root,
    checkpoint.server_sig,
  );
}

export async function latestCheckpoint(read: Read): Promise<SignedCheckpoint | undefined> {
  const [latest] = await newestCheckpoints(read, 1);
  return latest;
}

/** Newest first. */
export async function newestCheckpoints(read: Read, limit: number): Promise<SignedCheckpoint[]> {
  const sql = "SELECT * FROM ledger_checkpoints ORDER BY tree_size DESC LIMIT CAST(? AS BIGINT)";
  return (await read.all<CheckpointRow>(sql, limit)).map(fromRow);
}

export async function checkpointById(read: Read, id: string): Promise<SignedCheckpoint | undefined> {
  const row = await read.get<CheckpointRow>("SELECT * FROM ledger_checkpoints WHERE checkpoint_id = ?", id);
  return row && fromRow(row);
}

export async function firstCovering(read: Read, position: number): Promise<SignedCheckpoint | undefined> {
  const [first] = await allCovering(read, position, { limit: 1 });
  return first;
}

export async function allCovering(
  read: Read,
  position: number,
  { below = Number.MAX_SAFE_INTEGER, limit = Number.MAX_SAFE_INTEGER }: CheckpointBounds = {},
): Promise<SignedCheckpoint[]> {
  const sql =
    "SELECT * FROM ledger_checkpoints WHERE tree_size > ? AND tree_size < ? ORDER BY tree_size LIMIT CAST(? AS BIGINT)";
  return (await read.all<CheckpointRow>(sql, position, below, limit)).map(fromRow);
}

/** Keeps a signature that was verified; the first one stays when the witness signs again. */
export async function insertWitnessSignature(
  tx: Write,
  treeSize: number,
  { witnessId, agentId, name, signature, witnessedAt }: WitnessSignature,
): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_witness_signatures (tree_size, witness_id, agent_id, name, signature, witnessed_at)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    treeSize,
    witnessId,
    agentId,
    name,
    signature,
    witnessedAt,
  );
}

type SignatureRow = {
  witness_id: string;
  agent_id: string;
  name: string | null;
  signature: string;
  witnessed_at: string;
};

export async function witnessSignatures(read: Read, checkpointId: string): Promise<WitnessSignature[]> {
  const rows = await read.all<SignatureRow>(
    `SELECT s.* FROM ledger_witness_signatures s JOIN ledger_checkpoints c USING (tree_size)
     WHERE c.checkpoint_id = ? ORDER BY s.witness_id`,
    checkpointId,
  );
  return rows.map((row) => ({
    witnessId: row.witness_id,
    agentId: row.agent_id,
    name: row.name,
    signature: row.signature,
    witnessedAt: row.witnessed_at,
  }));
}

/** The largest tree a witness is known to have signed; 0 when it signed none. */
export async function sizeSignedBy(read: Read, agentId: string): Promise<number> {
  const row = await read.get<{ size: number | null }>(
    "SELECT max(tree_size) AS size FROM ledger_witness_signatures WHERE agent_id = ?",
    agentId,
  );
  return row?.size ?? 0;
}

/** The largest tree any witness signed; 0 when none was. */
export async function sizeWitnessed(read: Read): Promise<number> {
  const row = await read.get<{ size: number | null }>(
    "SELECT max(tree_size) AS size FROM ledger_witness_signatures",
  );
  return row?.size ?? 0;
}

/** Keeps a checkpoint that this log signed and does not have; the first one stays. Whether it is the first. */
export async function insertNewer(tx: Write, signed: SignedCheckpoint): Promise<boolean> {
  const sql = "INSERT INTO ledger_newer (one, signed) VALUES (1, ?) ON CONFLICT DO NOTHING";
  return (await tx.run(sql, JSON.stringify(signed))) > 0;
}

export async function readNewer(read: Read): Promise<SignedCheckpoint | undefined> {
  const row = await read.get<{ signed: string }>("SELECT signed FROM ledger_newer");
  return row && (JSON.parse(row.signed) as SignedCheckpoint);
}
