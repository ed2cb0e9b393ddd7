import type { Migration, Read, Write } from "@darkmatter/store";

export const statsMigrations: readonly Migration[] = [
  {
    name: "ledger-server/040-ready",
    sql: [
      "CREATE TABLE ledger_ready (one INTEGER PRIMARY KEY CHECK (one = 1), word TEXT NOT NULL)",
      "INSERT INTO ledger_ready (one, word) VALUES (1, '')",
    ],
  },
];

/** Agents that can still act. */
export async function countAgents(read: Read): Promise<number> {
  const row = await read.get<{ count: number }>(
    "SELECT count(*) AS count FROM ledger_agents WHERE ended_ms IS NULL",
  );
  return row?.count ?? 0;
}

export async function writeReadyWord(tx: Write, word: string): Promise<void> {
  await tx.run("UPDATE ledger_ready SET word = ? WHERE one = 1", word);
}

export async function readReadyWord(read: Read): Promise<string | undefined> {
  return (await read.get<{ word: string }>("SELECT word FROM ledger_ready WHERE one = 1"))?.word;
}
