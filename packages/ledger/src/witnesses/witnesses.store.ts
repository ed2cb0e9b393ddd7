import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Migration, Read, Write } from "@darkmatter/store";

/** Signed checkpoints kept for each log, newest first: what a later one may contradict. */
export const KEPT_PER_LOG_MAX = 1000;
/** Agents that evidence is kept about. */
export const ACCUSED_MAX = 1000;

export const witnessMigrations: readonly Migration[] = [
  {
    name: "ledger/011-witnesses",
    dialects: ["sqlite"],
    sql: [
      // `signed` is the signed checkpoint as JSON; the columns beside it are what it is looked up by.
      `CREATE TABLE ledger_witnessed (
         position INTEGER PRIMARY KEY,
         agent_id TEXT NOT NULL,
         checkpoint_id TEXT NOT NULL,
         tree_size INTEGER NOT NULL,
         previous_cp_id TEXT,
         signed TEXT NOT NULL,
         witness_sig TEXT NOT NULL,
         witnessed_at TEXT NOT NULL,
         UNIQUE (agent_id, checkpoint_id)
       )`,
      "CREATE INDEX ledger_witnessed_size ON ledger_witnessed (agent_id, tree_size)",
      "CREATE INDEX ledger_witnessed_previous ON ledger_witnessed (agent_id, previous_cp_id)",
      `CREATE TABLE ledger_evidence (
         position INTEGER PRIMARY KEY,
         agent_id TEXT NOT NULL UNIQUE,
         first TEXT NOT NULL,
         second TEXT NOT NULL,
         recorded_at TEXT NOT NULL,
         from_agent_id TEXT,
         told INTEGER NOT NULL
       )`,
      "CREATE INDEX ledger_evidence_untold ON ledger_evidence (told) WHERE told = 0",
    ],
  },
];

/** A checkpoint of another log that this node signed as its witness. */
export interface Witnessed {
  readonly agentId: string;
  readonly checkpoint: SignedCheckpoint;
  readonly signature: string;
  readonly witnessedAt: string;
}

type WitnessedRow = { agent_id: string; signed: string; witness_sig: string; witnessed_at: string };

const witnessedFrom = (row: WitnessedRow): Witnessed => ({
  agentId: row.agent_id,
  checkpoint: JSON.parse(row.signed) as SignedCheckpoint,
  signature: row.witness_sig,
  witnessedAt: row.witnessed_at,
});

const WITNESSED = "SELECT agent_id, signed, witness_sig, witnessed_at FROM ledger_witnessed";

/** What this node signed last for a log: of its largest tree, the newest. */
export async function lastWitnessed(read: Read, agentId: string): Promise<Witnessed | undefined> {
  const row = await read.get<WitnessedRow>(
    `${WITNESSED} WHERE agent_id = ? ORDER BY tree_size DESC, position DESC LIMIT 1`,
    agentId,
  );
  return row && witnessedFrom(row);
}

/** All we hold of a log that a checkpoint could contradict: of its size, of its id, before it and after it. */
export async function comparable(
  read: Read,
  agentId: string,
  checkpoint: SignedCheckpoint,
): Promise<Witnessed[]> {
  const lookUp = (column: string, value: string | number) =>
    read.all<WitnessedRow>(`${WITNESSED} WHERE agent_id = ? AND ${column} = ?`, agentId, value);
  const found = [
    ...(await lookUp("tree_size", checkpoint.tree_size)),
    ...(await lookUp("checkpoint_id", checkpoint.checkpoint_id)),
    ...(await lookUp("previous_cp_id", checkpoint.checkpoint_id)),
    ...(checkpoint.previous_cp_id === null ? [] : await lookUp("checkpoint_id", checkpoint.previous_cp_id)),
  ];
  return found.map(witnessedFrom);
}

/** Keeps what was signed, and forgets the oldest of that log beyond `KEPT_PER_LOG_MAX`. */
export async function insertWitnessed(tx: Write, witnessed: Witnessed): Promise<void> {
  const { agentId, checkpoint, signature, witnessedAt } = witnessed;
  await tx.run(
    `INSERT INTO ledger_witnessed (agent_id, checkpoint_id, tree_size, previous_cp_id, signed, witness_sig,
       witnessed_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    agentId,
    checkpoint.checkpoint_id,
    checkpoint.tree_size,
    checkpoint.previous_cp_id,
    JSON.stringify(checkpoint),
    signature,
    witnessedAt,
  );
  await tx.run(
    `DELETE FROM ledger_witnessed WHERE position IN (SELECT position FROM ledger_witnessed WHERE agent_id = ?
       ORDER BY tree_size DESC, position DESC LIMIT -1 OFFSET ?)`,
    agentId,
    KEPT_PER_LOG_MAX,
  );
}

/** How many logs this node has signed for; steps from log to log, not through all that was signed. */
export async function countLogs(read: Read): Promise<number> {
  const row = await read.get<{ logs: number }>(
    `WITH RECURSIVE logs (id) AS (
       SELECT min(agent_id) FROM ledger_witnessed
       UNION ALL
       SELECT (SELECT min(agent_id) FROM ledger_witnessed WHERE agent_id > id) FROM logs WHERE id IS NOT NULL
     ) SELECT count(id) AS logs FROM logs`,
  );
  return row?.logs ?? 0;
}

/** Two checkpoints by one agent that cannot both be true. */
export interface Evidence {
  readonly agentId: string;
  readonly first: SignedCheckpoint;
  readonly second: SignedCheckpoint;
  readonly recordedAt: string;
  /** Who told us, as it said; our own id when we found it; `null` when nobody said. */
  readonly from: string | null;
}

type EvidenceRow = {
  agent_id: string;
  first: string;
  second: string;
  recorded_at: string;
  from_agent_id: string | null;
};

const evidenceFrom = (row: EvidenceRow): Evidence => ({
  agentId: row.agent_id,
  first: JSON.parse(row.first) as SignedCheckpoint,
  second: JSON.parse(row.second) as SignedCheckpoint,
  recordedAt: row.recorded_at,
  from: row.from_agent_id,
});

export async function findEvidence(read: Read, agentId: string): Promise<Evidence | undefined> {
  const row = await read.get<EvidenceRow>("SELECT * FROM ledger_evidence WHERE agent_id = ?", agentId);
  return row && evidenceFrom(row);
}

/** Newest first. */
export async function allEvidence(read: Read): Promise<Evidence[]> {
  const rows = await read.all<EvidenceRow>("SELECT * FROM ledger_evidence ORDER BY position DESC");
  return rows.map(evidenceFrom);
}

export async function untoldEvidence(read: Read): Promise<Evidence[]> {
  const rows = await read.all<EvidenceRow>("SELECT * FROM ledger_evidence WHERE told = 0 ORDER BY position");
  return rows.map(evidenceFrom);
}

export async function markTold(tx: Write, agentId: string): Promise<void> {
  await tx.run("UPDATE ledger_evidence SET told = 1 WHERE agent_id = ?", agentId);
}

/**
 * Keeps evidence about an agent there was none about; `false` when there is, or when there is no room. Keys cost
 * nothing, so anybody can make as much evidence against keys of its own as it likes: beyond `ACCUSED_MAX` the oldest
 * about an agent that is not in `kept` goes.
 */
export async function insertEvidence(
  tx: Write,
  { agentId, first, second, recordedAt, from }: Evidence,
  kept: readonly string[],
): Promise<boolean> {
  const inserted = await tx.run(
    `INSERT INTO ledger_evidence (agent_id, first, second, recorded_at, from_agent_id, told)
     VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (agent_id) DO NOTHING`,
    agentId,
    JSON.stringify(first),
    JSON.stringify(second),
    recordedAt,
    from,
  );
  await tx.run(
    `DELETE FROM ledger_evidence WHERE position IN (SELECT position FROM ledger_evidence
       ORDER BY agent_id IN (SELECT value FROM json_each(?)) DESC, position DESC LIMIT -1 OFFSET ?)`,
    JSON.stringify(kept),
    ACCUSED_MAX,
  );
  return inserted > 0 && (await findEvidence(tx, agentId)) !== undefined;
}
