import type { Migration, Read, Write } from "@darkmatter/store";
import type { Payment, PaymentState } from "./payment.ts";

export const paymentMigrations: readonly Migration[] = [
  {
    name: "mesh/014-payments",
    dialects: ["sqlite"],
    sql: [
      // `notice`: none, due (once the payment is confirmed), sent, or undeliverable.
      `CREATE TABLE mesh_payments (
         key TEXT PRIMARY KEY,
         peer TEXT,
         sender TEXT NOT NULL,
         recipient TEXT NOT NULL,
         amount TEXT NOT NULL,
         raw TEXT NOT NULL,
         token TEXT NOT NULL,
         decimals INTEGER NOT NULL,
         tx_signature TEXT NOT NULL UNIQUE,
         bytes TEXT NOT NULL,
         last_valid_height INTEGER NOT NULL,
         since_slot INTEGER,
         creates_account INTEGER NOT NULL,
         why TEXT NOT NULL,
         state TEXT NOT NULL,
         notice TEXT NOT NULL,
         notice_id TEXT,
         created_at_ms INTEGER NOT NULL
       )`,
      `CREATE INDEX mesh_payments_open ON mesh_payments (created_at_ms)
         WHERE state = 'pending' OR (state = 'confirmed' AND notice = 'due')`,
    ],
  },
];

/** A payment with what is needed to bring it to its end. */
export interface OpenPayment extends Payment {
  readonly bytes: string;
  readonly lastValidBlockHeight: number;
  readonly sinceSlot: number | undefined;
  readonly noticeDue: boolean;
}

type PaymentRow = {
  key: string;
  peer: string | null;
  sender: string;
  recipient: string;
  amount: string;
  raw: string;
  token: string;
  decimals: number;
  tx_signature: string;
  bytes: string;
  last_valid_height: number;
  since_slot: number | null;
  creates_account: number;
  why: string;
  state: string;
  notice: string;
  notice_id: string | null;
};

const fromRow = (row: PaymentRow): OpenPayment => ({
  key: row.key,
  peer: row.peer,
  from: row.sender,
  to: row.recipient,
  amount: row.amount,
  raw: BigInt(row.raw),
  token: row.token,
  decimals: row.decimals,
  txSignature: row.tx_signature,
  state: row.state as PaymentState,
  createdRecipientAccount: row.creates_account === 1,
  why: row.why,
  noticeId: row.notice_id,
  bytes: row.bytes,
  lastValidBlockHeight: row.last_valid_height,
  sinceSlot: row.since_slot ?? undefined,
  noticeDue: row.notice === "due",
});

export async function readPayment(tx: Read, key: string): Promise<OpenPayment | undefined> {
  const row = await tx.get<PaymentRow>("SELECT * FROM mesh_payments WHERE key = ?", key);
  return row && fromRow(row);
}

export async function hasSignature(tx: Read, txSignature: string): Promise<boolean> {
  const sql = "SELECT 1 AS yes FROM mesh_payments WHERE tx_signature = ?";
  return (await tx.get(sql, txSignature)) !== undefined;
}

export async function insertPayment(tx: Write, payment: OpenPayment, nowMs: number): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_payments (key, peer, sender, recipient, amount, raw, token, decimals, tx_signature, bytes,
       last_valid_height, since_slot, creates_account, why, state, notice, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)`,
    payment.key,
    payment.peer,
    payment.from,
    payment.to,
    payment.amount,
    payment.raw.toString(),
    payment.token,
    payment.decimals,
    payment.txSignature,
    payment.bytes,
    payment.lastValidBlockHeight,
    payment.sinceSlot ?? null,
    payment.createdRecipientAccount ? 1 : 0,
    payment.why,
    payment.noticeDue ? "due" : "none",
    nowMs,
  );
}

/** What is pending, or confirmed and not announced; oldest first. */
export async function readOpenPayments(tx: Read, limit: number): Promise<OpenPayment[]> {
  const sql = `SELECT * FROM mesh_payments
     WHERE state = 'pending' OR (state = 'confirmed' AND notice = 'due') ORDER BY created_at_ms LIMIT +?`;
  return (await tx.all<PaymentRow>(sql, limit)).map(fromRow);
}

/** Ends a pending payment. Whether it was one. */
export async function endPayment(tx: Write, key: string, state: PaymentState): Promise<boolean> {
  const sql = "UPDATE mesh_payments SET state = ? WHERE key = ? AND state = 'pending'";
  return (await tx.run(sql, state, key)) > 0;
}

/** Notes the message that told the peer; `null`: nobody is there to be told. */
export async function endNotice(tx: Write, key: string, messageId: string | null): Promise<boolean> {
  const sql = "UPDATE mesh_payments SET notice = ?, notice_id = ? WHERE key = ? AND notice = 'due'";
  return (await tx.run(sql, messageId === null ? "undeliverable" : "sent", messageId, key)) > 0;
}
