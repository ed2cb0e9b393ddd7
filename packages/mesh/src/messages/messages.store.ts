import type { JsonObject } from "@darkmatter/core";
import type { Actor, Migration, Read, Sighting, Write } from "@darkmatter/store";
import type { InboxMessage } from "./message.ts";

export const messageMigrations: readonly Migration[] = [
  {
    name: "mesh/004-messages",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_inbox (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL UNIQUE,
         content TEXT NOT NULL,
         webhook TEXT NOT NULL,
         hops_remaining INTEGER NOT NULL,
         metadata TEXT NOT NULL,
         from_agent_id TEXT NOT NULL,
         verified INTEGER NOT NULL,
         received_at_ms INTEGER NOT NULL,
         seen_at_ms INTEGER NOT NULL,
         seen_until_ms INTEGER NOT NULL,
         seen_shared INTEGER NOT NULL,
         read_at_ms INTEGER,
         answer TEXT,
         answer_by TEXT,
         commit_hash TEXT,
         forwards TEXT
       )`,
      // While a message lies here its row is the memory of its id; a second one would cost each message a page.
      `CREATE TRIGGER mesh_inbox_seen AFTER DELETE ON mesh_inbox
       BEGIN INSERT OR REPLACE INTO seen_ids (id, seen_at_ms, until_ms, share)
         VALUES (old.message_id, old.seen_at_ms, old.seen_until_ms,
           CASE WHEN old.seen_shared THEN '' ELSE old.from_agent_id END); END`,
      // Read messages are few, unread ones come in the order of their age: an index on either would cost each message.
      "CREATE INDEX mesh_inbox_kept ON mesh_inbox (seq) WHERE read_at_ms IS NOT NULL",
      "CREATE INDEX mesh_inbox_answers ON mesh_inbox (seq) WHERE answer IS NOT NULL",
      "CREATE TABLE mesh_tally (id INTEGER PRIMARY KEY CHECK (id = 1), unread INTEGER NOT NULL, handled INTEGER NOT NULL, broadcasts INTEGER NOT NULL)",
      "INSERT INTO mesh_tally VALUES (1, 0, 0, 0)",
      // Counting rows for each message would cost more the fuller the inbox is.
      `CREATE TRIGGER mesh_inbox_gone AFTER DELETE ON mesh_inbox WHEN old.read_at_ms IS NULL
       BEGIN UPDATE mesh_tally SET unread = unread - 1; END`,
      `CREATE TRIGGER mesh_inbox_read AFTER UPDATE OF read_at_ms ON mesh_inbox
       WHEN old.read_at_ms IS NULL AND new.read_at_ms IS NOT NULL
       BEGIN UPDATE mesh_tally SET unread = unread - 1; END`,
      `CREATE TABLE mesh_sent (
         message_id TEXT PRIMARY KEY,
         content TEXT NOT NULL,
         status TEXT NOT NULL,
         initial_hops INTEGER NOT NULL,
         targets TEXT NOT NULL,
         routed_to TEXT NOT NULL,
         created_at TEXT NOT NULL,
         created_at_ms REAL NOT NULL,
         webhook TEXT NOT NULL,
         metadata TEXT NOT NULL,
         copies TEXT NOT NULL
       )`,
      "CREATE INDEX mesh_sent_by_age ON mesh_sent (created_at_ms)",
      // Counted at each call of a tool.
      "CREATE INDEX mesh_sent_awaiting ON mesh_sent (created_at_ms) WHERE status = 'active' AND routed_to <> '[]'",
    ],
  },
];

type InboxRow = {
  message_id: string;
  content: string;
  webhook: string;
  hops_remaining: number;
  metadata: string;
  from_agent_id: string;
  verified: number;
  received_at_ms: number;
  read_at_ms: number | null;
};

const fromRow = (row: InboxRow): InboxMessage => ({
  messageId: row.message_id,
  content: row.content,
  webhook: row.webhook,
  hopsRemaining: row.hops_remaining,
  metadata: JSON.parse(row.metadata) as JsonObject,
  from: row.from_agent_id,
  verified: row.verified === 1,
  receivedAtMs: row.received_at_ms,
  read: row.read_at_ms !== null,
});

/** Makes room for one more unread message and counts it; its position, or `undefined` when the inbox is full. */
export async function takePlace(tx: Write, inboxMax: number): Promise<number | undefined> {
  const row = await tx.get<{ unread: number }>(
    "UPDATE mesh_tally SET unread = unread + 1, handled = handled + 1 WHERE unread < ? RETURNING unread",
    inboxMax,
  );
  return row?.unread;
}

/** Counts a broadcast: it is taken without being queued. */
export async function countBroadcast(tx: Write): Promise<void> {
  await tx.run("UPDATE mesh_tally SET handled = handled + 1, broadcasts = broadcasts + 1");
}

export type Tally = {
  readonly unread: number;
  readonly handled: number;
  /** Broadcasts ever heard, those that the conversation has forgotten included. */
  readonly broadcasts: number;
};

export async function readTally(tx: Read): Promise<Tally> {
  const row = await tx.get<Tally>("SELECT unread, handled, broadcasts FROM mesh_tally");
  return row ?? { unread: 0, handled: 0, broadcasts: 0 };
}

export async function setHandled(tx: Write, handled: number): Promise<void> {
  await tx.run("UPDATE mesh_tally SET handled = ?", handled);
}

/**
 * Queues a message that `takePlace` has counted and `commit` records. `seen` is how its id is remembered. `false`
 * when a message of that id lies there already.
 */
export async function insertInbox(
  tx: Write,
  message: InboxMessage,
  metadataText: string,
  seen: Sighting,
  commit: string | null,
): Promise<boolean> {
  const changed = await tx.run(
    `INSERT INTO mesh_inbox
       (message_id, content, webhook, hops_remaining, metadata, from_agent_id, verified, received_at_ms, seen_at_ms,
        seen_until_ms, seen_shared, commit_hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    message.messageId,
    message.content,
    message.webhook,
    message.hopsRemaining,
    metadataText,
    message.from,
    message.verified ? 1 : 0,
    message.receivedAtMs,
    seen.seenAtMs,
    seen.untilMs,
    seen.share === message.from ? 0 : 1,
    commit,
  );
  return changed > 0;
}

/** A message still here that this agent brought, and the commit that records it: for a sender that asks again. */
export async function readStored(
  tx: Read,
  messageId: string,
  from: string,
): Promise<{ message: InboxMessage; commit: string | null } | undefined> {
  const sql = "SELECT * FROM mesh_inbox WHERE message_id = ? AND from_agent_id = ?";
  const row = await tx.get<InboxRow & { commit_hash: string | null }>(sql, messageId, from);
  return row && { message: fromRow(row), commit: row.commit_hash };
}

/** Whether the message that lies here under an id is another agent's, and says something else. */
export async function isOfAnother(
  tx: Read,
  { messageId, from, content }: Pick<InboxMessage, "messageId" | "from" | "content">,
): Promise<boolean> {
  const sql = "SELECT 1 AS yes FROM mesh_inbox WHERE message_id = ? AND from_agent_id <> ? AND content <> ?";
  return (await tx.get(sql, messageId, from, content)) !== undefined;
}

/** A message our agent may still act on; not one whose answer is on its way. */
export async function readInbox(tx: Read, messageId: string): Promise<InboxMessage | undefined> {
  const row = await tx.get<InboxRow>(
    "SELECT * FROM mesh_inbox WHERE message_id = ? AND answer IS NULL",
    messageId,
  );
  return row && fromRow(row);
}

export async function isInInbox(tx: Read, messageId: string): Promise<boolean> {
  return (await tx.get("SELECT 1 AS yes FROM mesh_inbox WHERE message_id = ?", messageId)) !== undefined;
}

/** Unread ones first, each oldest first: many that were read must not hide what is new. */
export async function readInboxAll(tx: Read, limit: number): Promise<InboxMessage[]> {
  // Two walks from the oldest on: sorting would look at the whole inbox.
  const sql = (read: string) =>
    `SELECT * FROM mesh_inbox WHERE read_at_ms IS ${read} AND answer IS NULL ORDER BY seq LIMIT +?`;
  const unread = await tx.all<InboxRow>(sql("NULL"), limit);
  const read = unread.length < limit ? await tx.all<InboxRow>(sql("NOT NULL"), limit - unread.length) : [];
  return [...unread, ...read].map(fromRow);
}

export async function countInbox(tx: Read): Promise<number> {
  // From two indices: the rows themselves hold whole messages.
  const row = await tx.get<{ n: number }>(
    `SELECT (SELECT count(*) FROM mesh_inbox)
       - (SELECT count(*) FROM mesh_inbox WHERE answer IS NOT NULL) AS n`,
  );
  return row?.n ?? 0;
}

/** Whether it was unread. */
export async function markRead(tx: Write, messageId: string, nowMs: number): Promise<boolean> {
  const changed = await tx.run(
    "UPDATE mesh_inbox SET read_at_ms = ? WHERE message_id = ? AND read_at_ms IS NULL",
    nowMs,
    messageId,
  );
  return changed > 0;
}

export async function deleteInbox(tx: Write, messageId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_inbox WHERE message_id = ?", messageId)) > 0;
}

/** They lie in the order they came: the oldest up to the first that may stay. */
const TOO_OLD = `seq <
  coalesce((SELECT seq FROM mesh_inbox WHERE received_at_ms > ? ORDER BY seq LIMIT 1), 9223372036854775807)`;
/** It is still to be passed on, or its answer may still arrive: kept for as long as that is tried. */
const NEEDED = `(answer IS NOT NULL AND received_at_ms > ?
  OR EXISTS (SELECT 1 FROM mesh_outbox
    WHERE mesh_outbox.message_id = mesh_inbox.message_id AND forwarded = 1 AND next_at_ms IS NOT NULL))`;
const SURPLUS = `seq IN (
  SELECT seq FROM mesh_inbox WHERE read_at_ms IS NOT NULL AND answer IS NULL ORDER BY seq DESC LIMIT -1 OFFSET ?)`;

/**
 * Drops what is older than `beforeMs`, what is being answered when older than `answersBeforeMs`, and the oldest read
 * messages beyond `readMax`; how many.
 */
export async function pruneInbox(
  tx: Write,
  beforeMs: number,
  answersBeforeMs: number,
  readMax: number,
): Promise<number> {
  const old = await tx.run(
    `DELETE FROM mesh_inbox WHERE ${TOO_OLD} AND NOT ${NEEDED}`,
    beforeMs,
    answersBeforeMs,
  );
  const surplus = await tx.run(`DELETE FROM mesh_inbox WHERE ${SURPLUS}`, readMax);
  return old + surplus;
}

/** Of what `pruneInbox` would drop, the oldest whose author asked to hear of it; not those whose answer is on its way. */
export async function readExpiring(
  tx: Read,
  beforeMs: number,
  readMax: number,
  limit: number,
): Promise<InboxMessage[]> {
  const sql = `SELECT * FROM mesh_inbox
     WHERE answer IS NULL AND json_extract(metadata, '$.receipts') = 1 AND (${TOO_OLD} AND NOT ${NEEDED} OR ${SURPLUS})
     ORDER BY seq LIMIT +?`;
  return (await tx.all<InboxRow>(sql, beforeMs, 0, readMax, limit)).map(fromRow);
}

/** What waits from one agent; not what is being answered. */
export async function readInboxFrom(tx: Read, agentId: string): Promise<InboxMessage[]> {
  const sql = "SELECT * FROM mesh_inbox WHERE from_agent_id = ? AND answer IS NULL ORDER BY seq";
  return (await tx.all<InboxRow>(sql, agentId)).map(fromRow);
}

/** The commits by which a message was passed on, by target; `undefined` when the message is not there to pass on. */
export async function readForwards(
  tx: Read,
  messageId: string,
): Promise<Record<string, string | null> | undefined> {
  const sql =
    "SELECT coalesce(forwards, '{}') AS forwards FROM mesh_inbox WHERE message_id = ? AND answer IS NULL";
  const row = await tx.get<{ forwards: string }>(sql, messageId);
  return row && (JSON.parse(row.forwards) as Record<string, string | null>);
}

export async function saveForwards(
  tx: Write,
  messageId: string,
  commits: Readonly<Record<string, string | null>>,
): Promise<void> {
  await tx.run("UPDATE mesh_inbox SET forwards = ? WHERE message_id = ?", JSON.stringify(commits), messageId);
}

/** An answer on its way: decided, on disk, and not yet known to have arrived. */
export interface PendingAnswer {
  readonly message: InboxMessage;
  readonly response: string;
  readonly by: AnswerGiver;
}

/**
 * Who gave an answer: a rule of the owner's; a helper, whose time may be over when it arrives; `undefined` for the agent
 * itself.
 */
export type AnswerGiver = "rule" | Pick<Actor, "delegation" | "publicKey"> | undefined;

/** Sets a message aside for its answer, and it counts as read; `false` when another answer was first or it is gone. */
export async function holdForAnswer(
  tx: Write,
  messageId: string,
  response: string,
  by: AnswerGiver,
  nowMs: number,
): Promise<boolean> {
  const held = await tx.run(
    "UPDATE mesh_inbox SET answer = ?, answer_by = ? WHERE message_id = ? AND answer IS NULL",
    response,
    by === undefined ? null : JSON.stringify(by),
    messageId,
  );
  // Otherwise answers on their way would fill an inbox that shows nothing.
  await markRead(tx, messageId, nowMs);
  return held > 0;
}

/** Gives a message back to the agent: its answer was refused. */
export async function releaseAnswer(tx: Write, messageId: string): Promise<void> {
  await tx.run("UPDATE mesh_inbox SET answer = NULL, answer_by = NULL WHERE message_id = ?", messageId);
}

type AnswerRow = InboxRow & { answer: string; answer_by: string | null };

const fromAnswerRow = (row: AnswerRow): PendingAnswer => ({
  message: fromRow(row),
  response: row.answer,
  by: row.answer_by === null ? undefined : (JSON.parse(row.answer_by) as AnswerGiver),
});

/** Oldest first; `from`: only those to what one agent brought. */
export async function readPendingAnswerIds(tx: Read, limit: number, from?: string): Promise<string[]> {
  const sql = `SELECT message_id FROM mesh_inbox WHERE answer IS NOT NULL AND coalesce(from_agent_id = ?, 1)
     ORDER BY seq LIMIT +?`;
  return (await tx.all<{ message_id: string }>(sql, from ?? null, limit)).map((row) => row.message_id);
}

export async function readPendingAnswer(tx: Read, messageId: string): Promise<PendingAnswer | undefined> {
  const sql = "SELECT * FROM mesh_inbox WHERE message_id = ? AND answer IS NOT NULL";
  const row = await tx.get<AnswerRow>(sql, messageId);
  return row && fromAnswerRow(row);
}
