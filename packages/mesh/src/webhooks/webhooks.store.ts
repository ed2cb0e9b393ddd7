import type { JsonObject } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { Response, Update } from "./webhook.ts";

export const webhookMigrations: readonly Migration[] = [
  {
    name: "mesh/006-webhooks",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_updates (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL REFERENCES mesh_sent (message_id) ON DELETE CASCADE,
         body TEXT NOT NULL
       )`,
      "CREATE INDEX mesh_updates_of ON mesh_updates (message_id)",
      `CREATE TABLE mesh_responses (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL REFERENCES mesh_sent (message_id) ON DELETE CASCADE,
         fingerprint TEXT NOT NULL,
         body TEXT NOT NULL,
         commit_hash TEXT,
         UNIQUE (message_id, fingerprint)
       )`,
    ],
  },
];

export async function insertUpdate(tx: Write, messageId: string, update: Update): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_updates (message_id, body) VALUES (?, ?)",
    messageId,
    JSON.stringify(update),
  );
}

/** `false` when this agent said this before: a repeat after a crash, not a second answer. */
export async function insertResponse(
  tx: Write,
  messageId: string,
  fingerprint: string,
  response: Response,
): Promise<boolean> {
  const changed = await tx.run(
    "INSERT INTO mesh_responses (message_id, fingerprint, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    messageId,
    fingerprint,
    JSON.stringify(response),
  );
  return changed > 0;
}

/** Notes the commit that records an answer: its author is told it again when it repeats itself. */
export async function setResponseCommit(
  tx: Write,
  messageId: string,
  fingerprint: string,
  commit: string,
): Promise<void> {
  const sql = "UPDATE mesh_responses SET commit_hash = ? WHERE message_id = ? AND fingerprint = ?";
  await tx.run(sql, commit, messageId, fingerprint);
}

export async function readResponseCommit(
  tx: Read,
  messageId: string,
  fingerprint: string,
): Promise<string | undefined> {
  const sql = "SELECT commit_hash FROM mesh_responses WHERE message_id = ? AND fingerprint = ?";
  return (
    (await tx.get<{ commit_hash: string | null }>(sql, messageId, fingerprint))?.commit_hash ?? undefined
  );
}

/** Puts `text` in the place of answers, and forgets their fingerprints; how many. */
export function eraseResponses(tx: Write, messageId: string, text: string): Promise<number> {
  return tx.run(
    `UPDATE mesh_responses SET fingerprint = 'erased ' || seq,
       body = json_set(body, '$.response', ?, '$.metadata', json('{}'))
     WHERE message_id = ? AND fingerprint NOT LIKE 'erased %'`,
    text,
    messageId,
  );
}

/** Removes the notes of those who passed a message on; how many. */
export function eraseUpdates(tx: Write, messageId: string): Promise<number> {
  return tx.run(
    `UPDATE mesh_updates SET body = json_set(body, '$.note', NULL)
     WHERE message_id = ? AND json_extract(body, '$.note') IS NOT NULL`,
    messageId,
  );
}

export async function readUpdates(tx: Read, messageId: string): Promise<Update[]> {
  const rows = await tx.all<{ body: string }>(
    "SELECT body FROM mesh_updates WHERE message_id = ? ORDER BY seq",
    messageId,
  );
  return rows.map((row) => JSON.parse(row.body) as JsonObject as unknown as Update);
}

export async function readResponses(tx: Read, messageId: string): Promise<Response[]> {
  const rows = await tx.all<{ body: string }>(
    "SELECT body FROM mesh_responses WHERE message_id = ? ORDER BY seq",
    messageId,
  );
  return rows.map((row) => JSON.parse(row.body) as JsonObject as unknown as Response);
}

export async function countUpdates(
  tx: Read,
  messageId: string,
): Promise<{ updates: number; forwarded: number }> {
  const row = await tx.get<{ updates: number; forwarded: number | null }>(
    `SELECT count(*) AS updates, sum(json_extract(body, '$.type') = 'forwarded') AS forwarded
     FROM mesh_updates WHERE message_id = ?`,
    messageId,
  );
  return { updates: row?.updates ?? 0, forwarded: row?.forwarded ?? 0 };
}

/** How many there are to a message, and how many of those are an agent's own. */
export async function countResponses(
  tx: Read,
  messageId: string,
  agentId: string,
): Promise<{ all: number; own: number }> {
  const row = await tx.get<{ n: number; own: number | null }>(
    `SELECT count(*) AS n, sum(json_extract(body, '$.agent_id') = ?) AS own FROM mesh_responses
     WHERE message_id = ?`,
    agentId,
    messageId,
  );
  return { all: row?.n ?? 0, own: row?.own ?? 0 };
}
