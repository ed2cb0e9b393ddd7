import type { JsonObject } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { ConversationEntry, EntryType, Ranked, Said } from "./entry.ts";

export const conversationMigrations: readonly Migration[] = [
  {
    name: "mesh/005-conversation",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_conversation (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL,
         from_agent_id TEXT NOT NULL,
         to_agent_ids TEXT NOT NULL,
         at TEXT NOT NULL,
         entry_type TEXT NOT NULL,
         direction TEXT NOT NULL,
         trust REAL NOT NULL,
         content TEXT NOT NULL,
         metadata TEXT NOT NULL
       )`,
      "CREATE INDEX mesh_conversation_broadcasts ON mesh_conversation (direction, seq) WHERE entry_type = 'broadcast'",
    ],
  },
];

type EntryRow = {
  message_id: string;
  content: string;
  from_agent_id: string;
  to_agent_ids: string;
  at: string;
  entry_type: string;
  direction: string;
  trust: number;
  metadata: string;
};

export async function insertEntry(tx: Write, entry: ConversationEntry): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_conversation
       (message_id, content, from_agent_id, to_agent_ids, at, entry_type, direction, trust, metadata)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    entry.messageId,
    entry.content,
    entry.from,
    JSON.stringify(entry.to),
    entry.at,
    entry.entryType,
    entry.direction,
    entry.trust,
    JSON.stringify(entry.metadata),
  );
}

/** The newest `limit` entries, oldest first. */
export async function readEntries(tx: Read, limit: number): Promise<ConversationEntry[]> {
  const rows = await tx.all<EntryRow>("SELECT * FROM mesh_conversation ORDER BY seq DESC LIMIT +?", limit);
  return rows.reverse().map((row) => ({
    messageId: row.message_id,
    content: row.content,
    from: row.from_agent_id,
    to: JSON.parse(row.to_agent_ids) as string[],
    at: row.at,
    entryType: row.entry_type as EntryType,
    direction: row.direction as ConversationEntry["direction"],
    trust: row.trust,
    metadata: JSON.parse(row.metadata) as JsonObject,
  }));
}

/**
 * What the newest `limit` entries are ranked by; with `peer` those it said or was told, and what was told to everybody.
 * Long words lie last in a row, so that this reads none of them.
 */
export async function readRanked(
  tx: Read,
  limit: number,
  peer?: string,
): Promise<Array<Ranked & { seq: number }>> {
  const columns = "seq, message_id AS messageId, at, entry_type AS entryType, direction, trust";
  if (peer === undefined)
    return tx.all(`SELECT ${columns} FROM mesh_conversation ORDER BY seq DESC LIMIT +?`, limit);
  return tx.all(
    `SELECT ${columns} FROM (
       SELECT seq, message_id, at, entry_type, direction, trust, from_agent_id, to_agent_ids FROM mesh_conversation
       ORDER BY seq DESC LIMIT +?
     ) WHERE from_agent_id = ? OR instr(to_agent_ids, ?) > 0 OR (entry_type = 'broadcast' AND direction = 'inbound')`,
    limit,
    peer,
    JSON.stringify(peer),
  );
}

/** Some entries as a feed shows them, by their number; of each content `contentMax` code points. */
export async function readSaid(
  tx: Read,
  seqs: readonly number[],
  contentMax: number,
): Promise<Map<number, Said>> {
  const rows = await tx.all<Omit<EntryRow, "metadata"> & { seq: number }>(
    `SELECT seq, message_id, substr(content, 1, +?) AS content, from_agent_id, to_agent_ids, at, entry_type, direction, trust
     FROM mesh_conversation WHERE seq IN (SELECT value FROM json_each(?))`,
    contentMax,
    JSON.stringify(seqs),
  );
  const saidOf = (row: (typeof rows)[number]): Said => ({
    messageId: row.message_id,
    content: row.content,
    from: row.from_agent_id,
    to: JSON.parse(row.to_agent_ids) as string[],
    at: row.at,
    entryType: row.entry_type,
    direction: row.direction,
    trust: row.trust,
  });
  return new Map(rows.map((row) => [row.seq, saidOf(row)]));
}

/** What connected agents call themselves. */
export async function readNames(tx: Read): Promise<Array<{ agentId: string; name: string }>> {
  const sql =
    "SELECT agent_id AS agentId, display_name AS name FROM mesh_connections WHERE display_name IS NOT NULL";
  return tx.all<{ agentId: string; name: string }>(sql);
}

/** Puts `text` in the place of what was said under a message's id; how many entries. */
export function eraseEntries(tx: Write, messageId: string, text: string): Promise<number> {
  return tx.run(
    "UPDATE mesh_conversation SET content = ?, metadata = '{}' WHERE message_id = ? AND content <> ?",
    text,
    messageId,
    text,
  );
}

/** Whether `eraseEntries` put `text` in the place of what was said. */
export async function isErased(tx: Read, messageId: string, text: string): Promise<boolean> {
  const sql = "SELECT 1 AS yes FROM mesh_conversation WHERE message_id = ? AND content = ? LIMIT 1";
  return (await tx.get(sql, messageId, text)) !== undefined;
}

/** When an agent said exactly this under a message's id; `undefined` when not, or when it was too long to be kept whole. */
export async function whenHeard(
  tx: Read,
  { messageId, from, content }: Pick<ConversationEntry, "messageId" | "from" | "content">,
): Promise<string | undefined> {
  const sql = `SELECT at FROM mesh_conversation
     WHERE message_id = ? AND direction = 'inbound' AND from_agent_id = ? AND content = ? LIMIT 1`;
  return (await tx.get<{ at: string }>(sql, messageId, from, content))?.at;
}

/** Keeps the newest `keep` entries. */
export async function pruneEntries(tx: Write, keep: number): Promise<void> {
  await tx.run(
    "DELETE FROM mesh_conversation WHERE seq <= (SELECT max(seq) FROM mesh_conversation) - ?",
    keep,
  );
}
