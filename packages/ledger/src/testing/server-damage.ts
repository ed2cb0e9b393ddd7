import type { Database, SqlValue, Write } from "@darkmatter/store";

/** Does to a server's database what only somebody at its disk could: its rules are taken away first. */
export async function tamperServer(
  tx: Write,
  dialect: Database["dialect"],
  sql: string,
  ...values: readonly SqlValue[]
): Promise<void> {
  const triggers =
    dialect === "sqlite"
      ? await tx.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'")
      : [];
  for (const { name } of triggers) await tx.run(`DROP TRIGGER ${name}`);
  const tables =
    dialect === "postgres" ? ["ledger_commits", "ledger_checkpoints", "ledger_witness_signatures"] : [];
  for (const table of tables) await tx.run(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  await tx.run(sql, ...values);
}
