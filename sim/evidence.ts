import type { Database } from "@darkmatter/store";
import type { Machine } from "./machine.ts";

/** A commit of a node's ledger, as far as the checks need it. */
export interface Act {
  readonly position: number;
  readonly peer: string;
  readonly messageId: string;
  /** `content` of a message, `response` of an answer. */
  readonly text: string;
}

/** The commits of one act of a node's ledger, read from its disk. */
export async function actsOf(
  { disk }: Machine,
  act: "message.received" | "message.answered",
): Promise<readonly Act[]> {
  const field = act === "message.received" ? "content" : "response";
  const found = await disk.db.all<Record<"peer" | "message_id" | "text", string> & { position: number }>(
    `SELECT ledger_commits.position AS position, json_extract(payload, '$.peer') AS peer,
       json_extract(payload, '$.message_id') AS message_id, json_extract(fields, '$.${field}.value') AS text
     FROM ledger_commits LEFT JOIN ledger_fields USING (position)
     WHERE json_extract(payload, '$.act') = ? ORDER BY 1`,
    act,
  );
  return found.map(({ position, peer, message_id, text }) => ({
    position,
    peer,
    messageId: message_id,
    text,
  }));
}

/** How often a node took a message. */
export async function heldBy(machine: Machine, messageId: string): Promise<number> {
  const taken = await machine.disk.db.get<{ taken: number }>(
    `SELECT count(*) AS taken FROM ledger_commits
     WHERE json_extract(payload, '$.act') = 'message.received' AND json_extract(payload, '$.message_id') = ?`,
    messageId,
  );
  return taken?.taken ?? 0;
}

/** What waits on a machine's disk for others, as `MESSAGE AGENT`. */
export async function waitingOn({ disk }: Machine): Promise<ReadonlySet<string>> {
  const found = await disk.db.all<{ copy: string }>(
    "SELECT message_id || ' ' || agent_id AS copy FROM mesh_outbox WHERE next_at_ms IS NOT NULL",
  );
  return new Set(found.map(({ copy }) => copy));
}

/** How many rows each table holds. */
export async function rowCounts(db: Database): Promise<ReadonlyMap<string, number>> {
  const tables = await db.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  const counts = new Map<string, number>();
  for (const { name } of tables) {
    const row = await db.get<{ rows: number }>(`SELECT count(*) AS rows FROM "${name}"`);
    counts.set(name, row?.rows ?? 0);
  }
  return counts;
}
