import type { Read, Write } from "@darkmatter/store";

/** An agent whose payloads are kept for some days only. */
export interface Retained {
  readonly agent: string;
  readonly account: number;
  readonly days: number;
  /** Up to this position of the log its payloads are pruned. */
  readonly prunedTo: number;
}

/** Ended agents are among them: their payloads are no less old. */
export async function retainedAgents(read: Read): Promise<Retained[]> {
  const rows = await read.all<{ id: string; account: number; retention_days: number; pruned_to: number }>(
    "SELECT id, account, retention_days, pruned_to FROM ledger_agents WHERE retention_days IS NOT NULL ORDER BY id",
  );
  return rows.map((row) => ({
    agent: row.id,
    account: row.account,
    days: row.retention_days,
    prunedTo: row.pruned_to,
  }));
}

/** The commits of an account after a position, in the order of the log. */
export async function commitsAfter(
  read: Read,
  account: number,
  position: number,
  count: number,
): Promise<{ readonly position: number; readonly agent: string; readonly acceptedMs: number }[]> {
  const rows = await read.all<{ position: number; agent: string; accepted_ms: number }>(
    `SELECT position, agent, accepted_ms FROM ledger_commits WHERE account = ? AND position > ?
     ORDER BY position LIMIT CAST(? AS BIGINT)`,
    account,
    position,
    count,
  );
  return rows.map((row) => ({ position: row.position, agent: row.agent, acceptedMs: row.accepted_ms }));
}

/** Removes payloads, and notes that it did; how many there still were. */
export async function prunePayloads(tx: Write, positions: readonly number[], nowMs: number): Promise<number> {
  let pruned = 0;
  for (const position of positions) {
    const gone = await tx.run("DELETE FROM ledger_payloads WHERE position = ?", position);
    if (gone === 0) continue;
    await tx.run("INSERT INTO ledger_pruned (position, pruned_ms) VALUES (?, ?)", position, nowMs);
    pruned += gone;
  }
  return pruned;
}

export async function setPrunedTo(tx: Write, agent: string, position: number): Promise<void> {
  await tx.run("UPDATE ledger_agents SET pruned_to = ? WHERE id = ?", position, agent);
}
