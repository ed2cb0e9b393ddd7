import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import type { LedgerServers } from "./servers.ts";

/** Changes one byte of a commit's payload in the database, past the server. */
export async function tamper({ engine, home, database }: LedgerServers, ctxId: string): Promise<void> {
  const changed = "UPDATE ledger_payloads SET payload = replace(payload, 'step 3', 'step 4')";
  const where = "WHERE position = (SELECT position FROM ledger_commits WHERE id = ";
  if (engine === "sqlite") {
    const db = new DatabaseSync(join(home.home, "ledger", "ledger.db"));
    try {
      const { changes } = db.prepare(`${changed} ${where} ?)`).run(ctxId);
      if (changes !== 1) throw new Error("nothing was changed");
    } finally {
      db.close();
    }
    return;
  }
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    const { rowCount } = await client.query(`${changed} ${where} $1)`, [ctxId]);
    if (rowCount !== 1) throw new Error("nothing was changed");
  } finally {
    await client.end();
  }
}
