import type { Database, SqlValue } from "@darkmatter/store";

const TRIGGERS = [
  ...["keep", "stay", "new"].map((name) => `ledger_commits_${name}`),
  ...["no_update", "no_delete", "grow"].map((name) => `ledger_checkpoints_${name}`),
  ...["no_update", "no_delete"].map((name) => `ledger_witness_signatures_${name}`),
];

/** Does what only somebody at the file could: the rules that hold everybody else are taken away first. */
export async function tamper(db: Database, sql: string, ...values: readonly SqlValue[]): Promise<void> {
  await db.write(async (tx) => {
    for (const trigger of TRIGGERS) await tx.run(`DROP TRIGGER IF EXISTS ${trigger}`);
    await tx.run("DROP INDEX IF EXISTS ledger_commits_trace");
    await tx.run("CREATE INDEX ledger_commits_trace ON ledger_commits (trace) WHERE parent IS NULL");
    await tx.run(sql, ...values);
  });
}
