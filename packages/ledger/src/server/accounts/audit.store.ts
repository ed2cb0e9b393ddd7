import type { Migration, Write } from "@darkmatter/store";
import { insertOnly } from "../insert-only.ts";

export const auditMigrations: readonly Migration[] = insertOnly(
  "ledger-server/004-audit",
  ["ledger_audit"],
  [
    `CREATE TABLE ledger_audit (
       at_ms BIGINT NOT NULL,
       account BIGINT NOT NULL,
       act TEXT NOT NULL,
       subject TEXT,
       number BIGINT
     )`,
    "CREATE INDEX ledger_audit_account ON ledger_audit (account, at_ms)",
  ],
);

/** What happened to an account and its agents, apart from their commits. Never holds a secret. */
export interface AuditEntry {
  readonly atMs: number;
  readonly account: number;
  readonly act:
    | "account.made"
    | "password.set"
    | "password.reset_offered"
    | "session.begun"
    | "session.refresh_reused"
    | "agent.made"
    | "agent.key_rotated"
    | "agent.ended"
    | "agent.webhook_set"
    | "agent.retention_set"
    | "payloads.pruned";
  /** An agent's id. */
  readonly subject?: string;
  /** Of payloads: how many. */
  readonly number?: number;
}

export async function audit(tx: Write, entry: AuditEntry): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_audit (at_ms, account, act, subject, number) VALUES (?, ?, ?, ?, ?)",
    entry.atMs,
    entry.account,
    entry.act,
    entry.subject ?? null,
    entry.number ?? null,
  );
}
