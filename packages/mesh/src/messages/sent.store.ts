import { type JsonObject, parseTime } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { SentCopy, SentMessage, SentStatus } from "./message.ts";

type SentRow = {
  message_id: string;
  content: string;
  status: string;
  initial_hops: number;
  targets: string;
  routed_to: string;
  created_at: string;
  webhook: string;
  metadata: string;
  copies: string;
};

const fromRow = (row: SentRow): SentMessage => ({
  messageId: row.message_id,
  content: row.content,
  status: row.status as SentStatus,
  initialHops: row.initial_hops,
  targets: JSON.parse(row.targets) as string[],
  routedTo: JSON.parse(row.routed_to) as string[],
  createdAt: row.created_at,
  webhook: row.webhook,
  metadata: JSON.parse(row.metadata) as JsonObject,
  copies: JSON.parse(row.copies) as Record<string, SentCopy>,
});

export async function insertSent(tx: Write, message: SentMessage): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_sent
       (message_id, content, status, initial_hops, targets, routed_to, created_at, created_at_ms, webhook, metadata,
        copies)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    message.messageId,
    message.content,
    message.status,
    message.initialHops,
    JSON.stringify(message.targets),
    JSON.stringify(message.routedTo),
    message.createdAt,
    parseTime(message.createdAt) ?? 0,
    message.webhook,
    JSON.stringify(message.metadata),
    JSON.stringify(message.copies),
  );
}

export async function readSent(tx: Read, messageId: string): Promise<SentMessage | undefined> {
  const row = await tx.get<SentRow>("SELECT * FROM mesh_sent WHERE message_id = ?", messageId);
  return row && fromRow(row);
}

/** Newest last. */
export async function readSentAll(tx: Read): Promise<SentMessage[]> {
  return (await tx.all<SentRow>("SELECT * FROM mesh_sent ORDER BY created_at_ms, rowid")).map(fromRow);
}

/** Whether there is such a message, without reading it. */
export async function isSent(tx: Read, messageId: string): Promise<boolean> {
  return (await tx.get("SELECT 1 AS yes FROM mesh_sent WHERE message_id = ?", messageId)) !== undefined;
}

/** Notes that an agent has a message, besides those noted before. */
export async function noteRouted(tx: Write, messageId: string, agentId: string): Promise<void> {
  await tx.run(
    `UPDATE mesh_sent SET routed_to = json_insert(routed_to, '$[#]', ?)
     WHERE message_id = ? AND NOT EXISTS (SELECT 1 FROM json_each(routed_to) WHERE value = ?)`,
    agentId,
    messageId,
    agentId,
  );
}

export async function setStatus(tx: Write, messageId: string, status: SentStatus): Promise<void> {
  await tx.run("UPDATE mesh_sent SET status = ? WHERE message_id = ?", status, messageId);
}

/** Puts `text` in the place of a message's words and closes it; how many rows. */
export function eraseSent(tx: Write, messageId: string, text: string): Promise<number> {
  return tx.run(
    `UPDATE mesh_sent SET content = ?, metadata = '{}',
       status = CASE status WHEN 'active' THEN 'expired' ELSE status END
     WHERE message_id = ? AND content <> ?`,
    text,
    messageId,
    text,
  );
}

/** Keeps the newest `keep`, and those that are still to be brought to somebody, with their updates and responses. */
export async function pruneSent(tx: Write, keep: number): Promise<void> {
  await tx.run(
    `DELETE FROM mesh_sent WHERE message_id IN (
       SELECT message_id FROM mesh_sent ORDER BY created_at_ms DESC, rowid DESC LIMIT -1 OFFSET ?)
     AND message_id NOT IN (
       SELECT message_id FROM mesh_outbox WHERE next_at_ms IS NOT NULL AND forwarded = 0)`,
    keep,
  );
}
