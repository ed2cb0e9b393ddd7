import type { JsonObject } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { Way } from "../transports/transport.ts";
import type { CopyState, QueuedCopy } from "./copy.ts";
import type { Outgoing } from "./deliver.ts";

export const outboxMigrations: readonly Migration[] = [
  {
    name: "mesh/009-outbox",
    dialects: ["sqlite"],
    sql: [
      // `passed_on` holds what a forwarded copy says: the message itself leaves the inbox with the first that is taken.
      `CREATE TABLE mesh_outbox (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         forwarded INTEGER NOT NULL,
         state TEXT NOT NULL,
         attempts INTEGER NOT NULL,
         trying_at_ms INTEGER,
         next_at_ms INTEGER,
         created_at_ms INTEGER NOT NULL,
         left_at_ms INTEGER,
         ended_at_ms INTEGER,
         way TEXT,
         why TEXT,
         passed_on TEXT,
         UNIQUE (message_id, agent_id, forwarded)
       )`,
      "CREATE INDEX mesh_outbox_open ON mesh_outbox (agent_id, seq) WHERE next_at_ms IS NOT NULL",
    ],
  },
];

type CopyRow = {
  seq: number;
  message_id: string;
  agent_id: string;
  forwarded: number;
  state: string;
  attempts: number;
  trying_at_ms: number | null;
  next_at_ms: number | null;
  created_at_ms: number;
  left_at_ms: number | null;
  ended_at_ms: number | null;
  way: string | null;
  why: string | null;
};

const fromRow = (row: CopyRow): QueuedCopy => ({
  seq: row.seq,
  messageId: row.message_id,
  agentId: row.agent_id,
  forwarded: row.forwarded === 1,
  state: row.state as CopyState,
  attempts: row.attempts,
  trying: row.trying_at_ms !== null,
  nextAtMs: row.next_at_ms,
  createdAtMs: row.created_at_ms,
  leftAtMs: row.left_at_ms,
  endedAtMs: row.ended_at_ms,
  way: row.way as Way | null,
  why: row.why,
});

/** What names a copy. */
export type CopyKey = Pick<QueuedCopy, "messageId" | "agentId" | "forwarded">;

const keyOf = ({ messageId, agentId, forwarded }: CopyKey) =>
  [messageId, agentId, forwarded ? 1 : 0] as const;

/** What a forwarded copy says. */
export interface PassedOn {
  readonly message: Outgoing;
  /** Who brought it. */
  readonly from: string;
  readonly metadata: JsonObject;
}

/**
 * Notes a copy whose first attempt begins now, and counts that as one whose bytes may leave: a crash meanwhile must not
 * make us say that none did. One that came to its end before starts anew.
 */
export async function insertCopy(tx: Write, key: CopyKey, nowMs: number, passedOn?: PassedOn): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_outbox
       (message_id, agent_id, forwarded, state, attempts, trying_at_ms, next_at_ms, created_at_ms, passed_on)
     VALUES (?, ?, ?, 'queued', 1, ?, ?, ?, ?)
     ON CONFLICT (message_id, agent_id, forwarded) DO UPDATE SET
       state = 'queued', attempts = 1, trying_at_ms = excluded.trying_at_ms, next_at_ms = excluded.next_at_ms,
       created_at_ms = excluded.created_at_ms, ended_at_ms = NULL, why = NULL, passed_on = excluded.passed_on
     WHERE next_at_ms IS NULL`,
    ...keyOf(key),
    nowMs,
    nowMs,
    nowMs,
    passedOn === undefined ? null : JSON.stringify(passedOn),
  );
}

export async function readCopy(tx: Read, key: CopyKey): Promise<QueuedCopy | undefined> {
  const sql = "SELECT * FROM mesh_outbox WHERE message_id = ? AND agent_id = ? AND forwarded = ?";
  const row = await tx.get<CopyRow>(sql, ...keyOf(key));
  return row && fromRow(row);
}

/** The copies of a message of our own. */
export async function readCopies(tx: Read, messageId: string): Promise<QueuedCopy[]> {
  const sql = "SELECT * FROM mesh_outbox WHERE message_id = ? AND forwarded = 0 ORDER BY seq";
  return (await tx.all<CopyRow>(sql, messageId)).map(fromRow);
}

export async function readPassedOn(tx: Read, key: CopyKey): Promise<PassedOn | undefined> {
  const sql = "SELECT passed_on FROM mesh_outbox WHERE message_id = ? AND agent_id = ? AND forwarded = ?";
  const row = await tx.get<{ passed_on: string | null }>(sql, ...keyOf(key));
  return row?.passed_on ? (JSON.parse(row.passed_on) as PassedOn) : undefined;
}

/** What waits for an agent and is due, oldest first, after the one numbered `after`. */
export async function readWaiting(
  tx: Read,
  agentId: string,
  after: number,
  dueMs: number,
  limit: number,
): Promise<QueuedCopy[]> {
  const sql = `SELECT * FROM mesh_outbox
     WHERE agent_id = ? AND seq > ? AND next_at_ms IS NOT NULL AND next_at_ms <= ? ORDER BY seq LIMIT +?`;
  return (await tx.all<CopyRow>(sql, agentId, after, dueMs, limit)).map(fromRow);
}

/** Everything that waits for an agent is tried at that time, not before and not after. */
export async function postponeCopies(tx: Write, agentId: string, nextAtMs: number): Promise<void> {
  const sql = "UPDATE mesh_outbox SET next_at_ms = ? WHERE agent_id = ? AND next_at_ms IS NOT NULL";
  await tx.run(sql, nextAtMs, agentId);
}

/** Whether no agent has a message of ours, and none will get it. */
export async function isLost(tx: Read, messageId: string): Promise<boolean> {
  const sql = `SELECT 1 AS yes FROM mesh_outbox
     WHERE message_id = ? AND forwarded = 0 AND (next_at_ms IS NOT NULL OR state = 'stored')`;
  return (await tx.get(sql, messageId)) === undefined;
}

/** Notes how a copy travelled whose target said before our attempt ended that it has it. */
export async function noteWay(tx: Write, key: CopyKey, { way, leftAtMs }: AttemptEnd): Promise<void> {
  await tx.run(
    `UPDATE mesh_outbox SET way = coalesce(way, ?), left_at_ms = coalesce(left_at_ms, ?), trying_at_ms = NULL
     WHERE message_id = ? AND agent_id = ? AND forwarded = ?`,
    way,
    leftAtMs,
    ...keyOf(key),
  );
}

/** Notes that an agent has a message of ours: it said so itself. Whether that was news. */
export async function markArrived(
  tx: Write,
  messageId: string,
  agentId: string,
  nowMs: number,
): Promise<boolean> {
  const changed = await tx.run(
    `UPDATE mesh_outbox SET state = 'stored', next_at_ms = NULL, ended_at_ms = ?, why = NULL
     WHERE message_id = ? AND agent_id = ? AND forwarded = 0 AND state <> 'stored'`,
    nowMs,
    messageId,
    agentId,
  );
  return changed > 0;
}

/** When the first copy for each agent that some wait for is due. */
export async function readDueTimes(tx: Read): Promise<Map<string, number>> {
  const rows = await tx.all<{ agent_id: string; at: number }>(
    "SELECT agent_id, min(next_at_ms) AS at FROM mesh_outbox WHERE next_at_ms IS NOT NULL GROUP BY agent_id",
  );
  return new Map(rows.map(({ agent_id: agentId, at }) => [agentId, at]));
}

/** How many copies wait, for an agent and over all. */
export async function countWaiting(tx: Read, agentId: string): Promise<{ peer: number; all: number }> {
  const row = await tx.get<{ peer: number; total: number }>(
    `SELECT (SELECT count(*) FROM mesh_outbox WHERE agent_id = ? AND next_at_ms IS NOT NULL) AS peer,
       (SELECT count(*) FROM mesh_outbox WHERE next_at_ms IS NOT NULL) AS total`,
    agentId,
  );
  return { peer: row?.peer ?? 0, all: row?.total ?? 0 };
}

/** How many copies wait, and since when the oldest does. */
export async function readBacklog(tx: Read): Promise<{ waiting: number; oldestMs: number | null }> {
  const row = await tx.get<{ n: number; oldest: number | null }>(
    "SELECT count(*) AS n, min(created_at_ms) AS oldest FROM mesh_outbox WHERE next_at_ms IS NOT NULL",
  );
  return { waiting: row?.n ?? 0, oldestMs: row?.oldest ?? null };
}

/** Notes that an attempt begins; `false` when the copy is not to be tried any more. */
export async function beginAttempt(tx: Write, key: CopyKey, nowMs: number): Promise<boolean> {
  const changed = await tx.run(
    `UPDATE mesh_outbox SET attempts = attempts + 1, trying_at_ms = ?
     WHERE message_id = ? AND agent_id = ? AND forwarded = ? AND next_at_ms IS NOT NULL`,
    nowMs,
    ...keyOf(key),
  );
  return changed > 0;
}

/** What an attempt changed. */
export interface AttemptEnd {
  readonly state: CopyState;
  readonly nextAtMs: number | null;
  /** The time, where bytes may have left. */
  readonly leftAtMs: number | null;
  readonly way: Way | null;
  readonly why: string | null;
  readonly nowMs: number;
}

/**
 * Notes what came of an attempt; `false` when there is nothing to note. One that was ended meanwhile stays so, but
 * that the target has it is told all the same.
 */
export async function endAttempt(tx: Write, key: CopyKey, end: AttemptEnd): Promise<boolean> {
  const isOpen = end.state === "stored" ? "state <> 'stored'" : "next_at_ms IS NOT NULL";
  const changed = await tx.run(
    `UPDATE mesh_outbox SET state = ?, next_at_ms = ?, trying_at_ms = NULL,
       left_at_ms = coalesce(left_at_ms, ?), way = coalesce(?, way), why = ?, ended_at_ms = ?,
       passed_on = CASE WHEN ? THEN passed_on END
     WHERE message_id = ? AND agent_id = ? AND forwarded = ? AND ${isOpen}`,
    end.state,
    end.nextAtMs,
    end.leftAtMs,
    end.way,
    end.why,
    end.nextAtMs === null ? end.nowMs : null,
    end.nextAtMs === null ? 0 : 1,
    ...keyOf(key),
  );
  return changed > 0;
}

/**
 * Attempts that were cut off, of one copy or of all that a crash left: their bytes may have left, and nobody noted it.
 * Before another attempt.
 */
export async function resumeCopies(tx: Write, nowMs: number, key?: CopyKey): Promise<void> {
  const [messageId, agentId, forwarded] = key ? keyOf(key) : [null, null, null];
  await tx.run(
    `UPDATE mesh_outbox SET state = 'sent', left_at_ms = coalesce(left_at_ms, trying_at_ms), trying_at_ms = NULL,
       next_at_ms = ?
     WHERE trying_at_ms IS NOT NULL AND next_at_ms IS NOT NULL
       AND coalesce(message_id = ? AND agent_id = ? AND forwarded = ?, 1)`,
    nowMs,
    messageId,
    agentId,
    forwarded,
  );
}

/** Which copies to end. */
export type Ending =
  | { readonly messageId: string }
  | { readonly agentId: string }
  | { readonly createdBeforeMs: number };

function condition(ending: Ending): { sql: string; value: string | number } {
  if ("messageId" in ending) return { sql: "message_id = ?", value: ending.messageId };
  if ("agentId" in ending) return { sql: "agent_id = ?", value: ending.agentId };
  return { sql: "created_at_ms <= ?", value: ending.createdBeforeMs };
}

/** Ends copies that wait, as expired for the reason given; which ones. */
export async function endCopies(
  tx: Write,
  ending: Ending,
  why: string,
  nowMs: number,
): Promise<QueuedCopy[]> {
  const { sql, value } = condition(ending);
  const open = await tx.all<CopyRow>(
    `SELECT * FROM mesh_outbox WHERE ${sql} AND next_at_ms IS NOT NULL ORDER BY seq`,
    value,
  );
  if (open.length === 0) return [];
  await tx.run(
    `UPDATE mesh_outbox SET state = 'expired', next_at_ms = NULL, trying_at_ms = NULL, ended_at_ms = ?, why = ?,
       passed_on = NULL
     WHERE ${sql} AND next_at_ms IS NOT NULL`,
    nowMs,
    why,
    value,
  );
  return open.map(fromRow);
}

/** Nothing that waits was made later than now: otherwise a clock that was ahead would keep it for as much longer. */
export async function limitAges(tx: Write, nowMs: number): Promise<void> {
  const sql = "UPDATE mesh_outbox SET created_at_ms = ? WHERE created_at_ms > ? AND next_at_ms IS NOT NULL";
  await tx.run(sql, nowMs, nowMs);
}

/** Removes what was said in the copies of a message that was passed on, and why they did not arrive; how many. */
export function eraseCopies(tx: Write, messageId: string, nowMs: number): Promise<number> {
  return tx.run(
    `UPDATE mesh_outbox SET passed_on = NULL, why = NULL, next_at_ms = NULL, trying_at_ms = NULL,
       ended_at_ms = coalesce(ended_at_ms, ?), state = CASE WHEN next_at_ms IS NULL THEN state ELSE 'expired' END
     WHERE message_id = ? AND (passed_on IS NOT NULL OR why IS NOT NULL OR next_at_ms IS NOT NULL)`,
    nowMs,
    messageId,
  );
}

/** Forgets copies that came to their end before `beforeMs` and whose message is not kept. */
export async function pruneCopies(tx: Write, beforeMs: number): Promise<void> {
  await tx.run(
    `DELETE FROM mesh_outbox WHERE next_at_ms IS NULL AND CASE forwarded
       WHEN 1 THEN ended_at_ms < ?
       ELSE NOT EXISTS (SELECT 1 FROM mesh_sent WHERE mesh_sent.message_id = mesh_outbox.message_id) END`,
    beforeMs,
  );
}
