import { DAY_MS } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import type { Query } from "./queries.ts";

const ROWS = 2000;

type Row = {
  position: number;
  account: number;
  agent: string;
  model: string | null;
  event: string;
  trace: string | null;
  accepted_ms: number;
  payload: string;
};

/** What queries find, counted by reading every payload; for payloads without escapes and events without labels. */
export async function countAll(db: Database, queries: readonly Query[]): Promise<number[]> {
  const counts = queries.map(() => 0);
  const asked = queries.map(({ by, q, filter }) => ({ by, filter, text: q.toLowerCase() }));
  for (let from = 0; ; ) {
    const rows = await db.all<Row>(
      `SELECT c.position, c.account, c.agent, c.model, c.event, c.trace, c.accepted_ms, y.payload
       FROM ledger_commits c JOIN ledger_payloads y ON y.position = c.position
       WHERE c.position >= ? ORDER BY c.position LIMIT ?`,
      from,
      ROWS,
    );
    for (const row of rows) {
      const payload = row.payload.toLowerCase();
      for (const [at, { by, filter, text }] of asked.entries())
        if (row.account === by.account && payload.includes(text) && passes(row, filter))
          counts[at] = (counts[at] ?? 0) + 1;
    }
    const last = rows.at(-1);
    if (rows.length < ROWS || last === undefined) return counts;
    from = last.position + 1;
  }
}

function passes(row: Row, { model, event, agentId, traceId, from, to }: Query["filter"]): boolean {
  return (
    (model === undefined || row.model === model) &&
    (event === undefined || row.event === event) &&
    (agentId === undefined || row.agent === agentId) &&
    (traceId === undefined || row.trace === traceId) &&
    (from === undefined || row.accepted_ms >= Date.parse(from)) &&
    (to === undefined || row.accepted_ms < Date.parse(to) + DAY_MS)
  );
}
