import type { Rung, TakenReceipt } from "@darkmatter/proof";
import type { Migration, Read, Write } from "@darkmatter/store";
import { type GivenRung, RECEIPTS_DUE_MAX } from "./receipt.ts";

export const receiptMigrations: readonly Migration[] = [
  {
    name: "mesh/007-receipts",
    dialects: ["sqlite"],
    sql: [
      // What proves a receipt lies in the journal, where it can be erased: a hash or a signature over a short content
      // would let anybody with the file test guesses at it.
      `CREATE TABLE mesh_receipts (
         message_id TEXT NOT NULL REFERENCES mesh_sent (message_id) ON DELETE CASCADE,
         agent_id TEXT NOT NULL,
         rung TEXT NOT NULL,
         at TEXT NOT NULL,
         commit_hash TEXT,
         detail TEXT,
         PRIMARY KEY (message_id, agent_id, rung)
       ) WITHOUT ROWID`,
      `CREATE TABLE mesh_receipts_due (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL,
         rung TEXT NOT NULL,
         from_agent_id TEXT NOT NULL,
         content_hash TEXT NOT NULL,
         at_ms INTEGER NOT NULL,
         commit_hash TEXT,
         detail TEXT,
         webhook TEXT NOT NULL,
         UNIQUE (message_id, rung)
       )`,
    ],
  },
];

/** A receipt another agent gave for a message of ours, as it is kept. */
export interface KeptReceipt {
  readonly agentId: string;
  readonly rung: Rung;
  readonly at: string;
  readonly commit: string | null;
  readonly detail: string | null;
}

type KeptRow = {
  agent_id: string;
  rung: string;
  at: string;
  commit_hash: string | null;
  detail: string | null;
};

const kept = (row: KeptRow): KeptReceipt => ({
  agentId: row.agent_id,
  rung: row.rung as Rung,
  at: row.at,
  commit: row.commit_hash,
  detail: row.detail,
});

export async function insertReceipt(tx: Write, receipt: TakenReceipt): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_receipts (message_id, agent_id, rung, at, commit_hash, detail) VALUES (?, ?, ?, ?, ?, ?)",
    receipt.message_id,
    receipt.agent_id,
    receipt.rung,
    receipt.at,
    receipt.commit,
    receipt.detail,
  );
}

export async function readReceipt(
  tx: Read,
  messageId: string,
  agentId: string,
  rung: Rung,
): Promise<KeptReceipt | undefined> {
  const sql = "SELECT * FROM mesh_receipts WHERE message_id = ? AND agent_id = ? AND rung = ?";
  const row = await tx.get<KeptRow>(sql, messageId, agentId, rung);
  return row && kept(row);
}

export async function readReceipts(tx: Read, messageId: string): Promise<KeptReceipt[]> {
  return (await tx.all<KeptRow>("SELECT * FROM mesh_receipts WHERE message_id = ?", messageId)).map(kept);
}

/** How many there are of a message, those of some agents aside. */
export async function countReceiptsBesides(
  tx: Read,
  messageId: string,
  agentIds: readonly string[],
): Promise<number> {
  const sql = `SELECT count(*) AS n FROM mesh_receipts
     WHERE message_id = ? AND agent_id NOT IN (SELECT value FROM json_each(?))`;
  return (await tx.get<{ n: number }>(sql, messageId, JSON.stringify(agentIds)))?.n ?? 0;
}

/** Removes what the givers of receipts added in words of their own; how many. */
export function eraseDetails(tx: Write, messageId: string): Promise<number> {
  const sql = "UPDATE mesh_receipts SET detail = NULL WHERE message_id = ? AND detail IS NOT NULL";
  return tx.run(sql, messageId);
}

/** Whether an agent named a commit of its ledger in a receipt for this message. */
export async function hasLedger(tx: Read, messageId: string, agentId: string): Promise<boolean> {
  const sql =
    "SELECT 1 AS yes FROM mesh_receipts WHERE message_id = ? AND agent_id = ? AND commit_hash IS NOT NULL";
  return (await tx.get(sql, messageId, agentId)) !== undefined;
}

/** A rung whose message's author has still to be told of it. */
export interface DueRung extends GivenRung {
  readonly webhook: string;
}

type DueRow = {
  message_id: string;
  rung: string;
  from_agent_id: string;
  content_hash: string;
  at_ms: number;
  commit_hash: string | null;
  detail: string | null;
  webhook: string;
};

/** Whose a due rung is; all we are not connected to count as one, since anybody can be as many as it likes. */
const WHOSE = `CASE WHEN EXISTS (SELECT 1 FROM mesh_connections WHERE agent_id = from_agent_id)
  THEN from_agent_id ELSE '' END`;

/** Notes that a rung is to be told; beyond `RECEIPTS_DUE_MAX` the oldest of whoever has most goes. */
export async function insertDue(tx: Write, due: DueRung): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_receipts_due
       (message_id, rung, from_agent_id, content_hash, at_ms, commit_hash, detail, webhook)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    due.messageId,
    due.rung,
    due.from,
    due.contentHash,
    due.atMs,
    due.commit,
    due.detail,
    due.webhook,
  );
  const all = await tx.get<{ n: number }>("SELECT count(*) AS n FROM mesh_receipts_due");
  if ((all?.n ?? 0) <= RECEIPTS_DUE_MAX) return;
  await tx.run(
    `DELETE FROM mesh_receipts_due WHERE seq = (
       SELECT min(seq) FROM mesh_receipts_due GROUP BY ${WHOSE} ORDER BY count(*) DESC, min(seq) LIMIT 1)`,
  );
}

/** Oldest first. */
export async function readDue(tx: Read): Promise<DueRung[]> {
  return (await tx.all<DueRow>("SELECT * FROM mesh_receipts_due ORDER BY seq")).map((row) => ({
    messageId: row.message_id,
    from: row.from_agent_id,
    contentHash: row.content_hash,
    rung: row.rung as Rung,
    atMs: row.at_ms,
    commit: row.commit_hash,
    detail: row.detail,
    webhook: row.webhook,
  }));
}

export async function deleteDue(tx: Write, messageId: string, rung: Rung): Promise<void> {
  await tx.run("DELETE FROM mesh_receipts_due WHERE message_id = ? AND rung = ?", messageId, rung);
}

/** Gives up on what is older than `beforeMs`, for those we are not connected to than `strangersBeforeMs`; how many. */
export function pruneDue(tx: Write, beforeMs: number, strangersBeforeMs: number): Promise<number> {
  return tx.run(
    `DELETE FROM mesh_receipts_due WHERE at_ms < CASE WHEN ${WHOSE} = '' THEN ? ELSE ? END`,
    strangersBeforeMs,
    beforeMs,
  );
}

/** Forgets what is due for a message. */
export async function forgetDue(tx: Write, messageId: string): Promise<void> {
  await tx.run("DELETE FROM mesh_receipts_due WHERE message_id = ?", messageId);
}
