import type { Migration, Read, Write } from "@darkmatter/store";
import type { Notice } from "./notice.ts";

export const noticeMigrations: readonly Migration[] = [
  {
    name: "mesh/015-payment-notices",
    dialects: ["sqlite"],
    sql: [
      // `next_at_ms` NULL: nothing more is asked.
      `CREATE TABLE mesh_payment_notices (
         message_id TEXT NOT NULL,
         peer TEXT NOT NULL,
         peer_wallet TEXT NOT NULL,
         tx_signature TEXT NOT NULL,
         notice TEXT NOT NULL,
         state TEXT NOT NULL,
         received_at_ms INTEGER NOT NULL,
         next_at_ms INTEGER,
         missing INTEGER NOT NULL DEFAULT 0,
         PRIMARY KEY (message_id, peer)
       ) WITHOUT ROWID`,
      "CREATE INDEX mesh_payment_notices_due ON mesh_payment_notices (next_at_ms) WHERE next_at_ms IS NOT NULL",
      // One transaction counts once, whoever names it: a row for ever.
      "CREATE TABLE mesh_payments_used (tx_signature TEXT PRIMARY KEY, message_id TEXT NOT NULL) WITHOUT ROWID",
      `CREATE TABLE mesh_credits (
         peer TEXT NOT NULL,
         token TEXT NOT NULL,
         raw TEXT NOT NULL,
         decimals INTEGER NOT NULL,
         PRIMARY KEY (peer, token)
       ) WITHOUT ROWID`,
    ],
  },
];

/** A notice of a connected agent that was not checked yet. */
export interface NotedNotice {
  readonly messageId: string;
  readonly peer: string;
  /** The wallet that peer told us when it sent the notice. */
  readonly peerWallet: string;
  readonly notice: Notice;
  readonly receivedAtMs: number;
  /** How often the chain did not know its transaction. */
  readonly missing: number;
}

type NoticeRow = {
  message_id: string;
  peer: string;
  peer_wallet: string;
  notice: string;
  received_at_ms: number;
  missing: number;
};

const fromRow = (row: NoticeRow): NotedNotice => ({
  messageId: row.message_id,
  peer: row.peer,
  peerWallet: row.peer_wallet,
  notice: JSON.parse(row.notice) as Notice,
  receivedAtMs: row.received_at_ms,
  missing: row.missing,
});

export async function insertNotice(tx: Write, noted: NotedNotice): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_payment_notices
       (message_id, peer, peer_wallet, tx_signature, notice, state, received_at_ms, next_at_ms)
     VALUES (?, ?, ?, ?, ?, 'unchecked', ?, ?) ON CONFLICT DO NOTHING`,
    noted.messageId,
    noted.peer,
    noted.peerWallet,
    noted.notice.txSignature,
    JSON.stringify(noted.notice),
    noted.receivedAtMs,
    noted.receivedAtMs,
  );
}

/** Notices that wait for the chain: of a peer, and of all. */
export async function countUnchecked(tx: Read, peer: string): Promise<{ peer: number; all: number }> {
  const row = await tx.get<{ peer: number | null; total: number }>(
    "SELECT sum(peer = ?) AS peer, count(*) AS total FROM mesh_payment_notices WHERE next_at_ms IS NOT NULL",
    peer,
  );
  return { peer: row?.peer ?? 0, all: row?.total ?? 0 };
}

export async function readDueNotices(tx: Read, nowMs: number, limit: number): Promise<NotedNotice[]> {
  const sql = "SELECT * FROM mesh_payment_notices WHERE next_at_ms <= ? ORDER BY next_at_ms LIMIT +?";
  return (await tx.all<NoticeRow>(sql, nowMs, limit)).map(fromRow);
}

type NoticeKey = Pick<NotedNotice, "messageId" | "peer">;

export async function postponeNotice(
  tx: Write,
  { messageId, peer }: NoticeKey,
  next: { readonly atMs: number | null; readonly missing: number },
): Promise<void> {
  await tx.run(
    "UPDATE mesh_payment_notices SET next_at_ms = ?, missing = ? WHERE message_id = ? AND peer = ?",
    next.atMs,
    next.missing,
    messageId,
    peer,
  );
}

/** Says what the check found. Whether it was still open. */
export async function closeNotice(
  tx: Write,
  { messageId, peer }: NoticeKey,
  state: "confirmed" | "refused",
): Promise<boolean> {
  const changed = await tx.run(
    `UPDATE mesh_payment_notices SET state = ?, next_at_ms = NULL
     WHERE message_id = ? AND peer = ? AND state = 'unchecked'`,
    state,
    messageId,
    peer,
  );
  return changed > 0;
}

/** Forgets notices that led to nothing. */
export async function pruneNotices(tx: Write, beforeMs: number): Promise<void> {
  const sql = "DELETE FROM mesh_payment_notices WHERE state <> 'confirmed' AND received_at_ms < ?";
  await tx.run(sql, beforeMs);
}

/** Removes what a message said was paid; what the chain confirmed of it stays counted. How many. */
export function eraseNotices(tx: Write, messageId: string): Promise<number> {
  return tx.run("DELETE FROM mesh_payment_notices WHERE message_id = ?", messageId);
}

/** Takes a transaction for this notice. `false`: it counted before. */
export async function useTransaction(tx: Write, txSignature: string, messageId: string): Promise<boolean> {
  const sql =
    "INSERT INTO mesh_payments_used (tx_signature, message_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
  return (await tx.run(sql, txSignature, messageId)) > 0;
}

/** How many connected agents told a wallet as theirs. */
export async function countHolders(tx: Read, wallet: string): Promise<number> {
  const sql = "SELECT count(*) AS n FROM mesh_connections WHERE json_extract(wallets, '$.solana') = ?";
  return (await tx.get<{ n: number }>(sql, wallet))?.n ?? 0;
}

export interface Credit {
  readonly raw: bigint;
  readonly decimals: number;
}

export async function readCredit(tx: Read, peer: string, token: string): Promise<Credit | undefined> {
  const sql = "SELECT raw, decimals FROM mesh_credits WHERE peer = ? AND token = ?";
  const row = await tx.get<{ raw: string; decimals: number }>(sql, peer, token);
  return row && { raw: BigInt(row.raw), decimals: row.decimals };
}

export async function writeCredit(tx: Write, peer: string, token: string, credit: Credit): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_credits (peer, token, raw, decimals) VALUES (?, ?, ?, ?)
     ON CONFLICT (peer, token) DO UPDATE SET raw = excluded.raw`,
    peer,
    token,
    credit.raw.toString(),
    credit.decimals,
  );
}
