import type { Read, Write } from "@darkmatter/store";

/** A task without the words in it. */
export interface TaskRow {
  readonly seq: number;
  readonly id: string;
  readonly tokenId: string;
  readonly contextId: string;
  readonly createdAtMs: number;
  readonly canceledAtMs: number | null;
}

type TaskRaw = {
  seq: number;
  id: string;
  token_id: string;
  context_id: string;
  created_at_ms: number;
  canceled_at_ms: number | null;
};

const taskOf = (row: TaskRaw): TaskRow => ({
  seq: row.seq,
  id: row.id,
  tokenId: row.token_id,
  contextId: row.context_id,
  createdAtMs: row.created_at_ms,
  canceledAtMs: row.canceled_at_ms,
});

export async function readTask(tx: Read, id: string): Promise<TaskRow | undefined> {
  const row = await tx.get<TaskRaw>("SELECT * FROM mesh_a2a_tasks WHERE id = ?", id);
  return row && taskOf(row);
}

/** Of one token, or of all, newest first. */
export async function readTasks(tx: Read, tokenId: string): Promise<TaskRow[]> {
  const sql = "SELECT * FROM mesh_a2a_tasks WHERE token_id = ? ORDER BY seq DESC";
  return (await tx.all<TaskRaw>(sql, tokenId)).map(taskOf);
}

export async function insertTask(tx: Write, task: Omit<TaskRow, "seq" | "canceledAtMs">): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_a2a_tasks (id, token_id, context_id, created_at_ms) VALUES (?, ?, ?, ?)",
    task.id,
    task.tokenId,
    task.contextId,
    task.createdAtMs,
  );
}

export async function markCanceled(tx: Write, id: string, nowMs: number): Promise<void> {
  await tx.run("UPDATE mesh_a2a_tasks SET canceled_at_ms = ? WHERE id = ?", nowMs, id);
}

/** How far one message of a task came. */
export interface Progress {
  readonly messageId: string;
  readonly createdAtMs: number;
  readonly answeredAtMs: number | null;
  /** It waits for our agent. */
  readonly waits: boolean;
  /** Our agent saw it whole, or is answering. */
  readonly readAtMs: number | null;
  /** Its answer is decided and on its way. */
  readonly answering: boolean;
}

type ProgressRow = {
  task_id: string;
  message_id: string;
  created_at_ms: number;
  answered_at_ms: number | null;
  waits: number;
  read_at_ms: number | null;
  answering: number;
};

const PROGRESS = `SELECT m.task_id, m.message_id, m.created_at_ms, m.answered_at_ms,
    i.message_id IS NOT NULL AS waits, i.read_at_ms, i.answer IS NOT NULL AS answering
  FROM mesh_a2a_messages m LEFT JOIN mesh_inbox i ON i.message_id = m.message_id`;

const progressOf = (row: ProgressRow): Progress => ({
  messageId: row.message_id,
  createdAtMs: row.created_at_ms,
  answeredAtMs: row.answered_at_ms,
  waits: row.waits === 1,
  readAtMs: row.read_at_ms,
  answering: row.answering === 1,
});

/** Of one task, in the order its messages came. */
export async function readProgress(tx: Read, taskId: string): Promise<Progress[]> {
  const rows = await tx.all<ProgressRow>(`${PROGRESS} WHERE m.task_id = ? ORDER BY m.seq`, taskId);
  return rows.map(progressOf);
}

/** Of all tasks of a token, by task. */
export async function readProgressAll(tx: Read, tokenId: string): Promise<Map<string, Progress[]>> {
  const rows = await tx.all<ProgressRow>(`${PROGRESS} WHERE m.token_id = ? ORDER BY m.seq`, tokenId);
  const byTask = new Map<string, Progress[]>();
  for (const row of rows) byTask.set(row.task_id, [...(byTask.get(row.task_id) ?? []), progressOf(row)]);
  return byTask;
}

/** What was said in a message of a task, and what our agent answered. */
export interface Words {
  readonly messageId: string;
  readonly clientId: string;
  /** Its parts as JSON. */
  readonly parts: string;
  readonly answer: string | null;
  /** By which its reader can prove the answer, as JSON. */
  readonly proof: string | null;
}

type WordsRow = {
  message_id: string;
  client_id: string;
  parts: string;
  answer: string | null;
  proof: string | null;
};

const wordsOf = (row: WordsRow): Words => ({
  messageId: row.message_id,
  clientId: row.client_id,
  parts: row.parts,
  answer: row.answer,
  proof: row.proof,
});

export async function readWords(tx: Read, taskId: string): Promise<Words[]> {
  const sql = "SELECT * FROM mesh_a2a_messages WHERE task_id = ? ORDER BY seq";
  return (await tx.all<WordsRow>(sql, taskId)).map(wordsOf);
}

/** What a caller sent under an id of its own before, and in which task. */
export async function readSentBefore(
  tx: Read,
  tokenId: string,
  clientId: string,
): Promise<{ taskId: string; parts: string } | undefined> {
  const sql = "SELECT task_id, parts FROM mesh_a2a_messages WHERE token_id = ? AND client_id = ?";
  const row = await tx.get<{ task_id: string; parts: string }>(sql, tokenId, clientId);
  return row && { taskId: row.task_id, parts: row.parts };
}

export interface NewMessage {
  readonly messageId: string;
  readonly taskId: string;
  readonly tokenId: string;
  readonly clientId: string;
  readonly parts: string;
  readonly createdAtMs: number;
}

export async function insertMessage(tx: Write, message: NewMessage): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_a2a_messages (message_id, task_id, token_id, client_id, parts, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
    message.messageId,
    message.taskId,
    message.tokenId,
    message.clientId,
    message.parts,
    message.createdAtMs,
  );
}

/** The task of a message, and its answer where it has one. */
export async function readAnswer(
  tx: Read,
  taskId: string,
  messageId: string,
): Promise<{ answer: string | null } | undefined> {
  const sql = "SELECT answer FROM mesh_a2a_messages WHERE task_id = ? AND message_id = ?";
  return tx.get<{ answer: string | null }>(sql, taskId, messageId);
}

export async function saveAnswer(
  tx: Write,
  messageId: string,
  { answer, proof, answeredAtMs }: { answer: string; proof: string; answeredAtMs: number },
): Promise<void> {
  const sql = "UPDATE mesh_a2a_messages SET answer = ?, proof = ?, answered_at_ms = ? WHERE message_id = ?";
  await tx.run(sql, answer, proof, answeredAtMs, messageId);
}

/** Tasks none of whose messages waits for our agent any more. */
const OVER = `NOT EXISTS (SELECT 1 FROM mesh_a2a_messages m JOIN mesh_inbox i ON i.message_id = m.message_id
  WHERE m.task_id = mesh_a2a_tasks.id)`;

/** Drops a token's oldest tasks that are over, beyond the newest `keep`. */
export async function dropSurplus(tx: Write, tokenId: string, keep: number): Promise<void> {
  await tx.run(
    `DELETE FROM mesh_a2a_tasks WHERE ${OVER} AND token_id = ? AND seq <= (
       SELECT seq FROM mesh_a2a_tasks WHERE token_id = ? ORDER BY seq DESC LIMIT 1 OFFSET +?)`,
    tokenId,
    tokenId,
    keep,
  );
}

/** Drops tasks that are over and began before `beforeMs`; how many. */
export function dropOld(tx: Write, beforeMs: number): Promise<number> {
  return tx.run(`DELETE FROM mesh_a2a_tasks WHERE ${OVER} AND created_at_ms < ?`, beforeMs);
}

/** Puts a mark where the words of a message and of its answer were. How many rows it changed. */
export function eraseA2aWords(tx: Write, messageId: string, mark: string): Promise<number> {
  const parts = JSON.stringify([{ text: mark }]);
  return tx.run(
    `UPDATE mesh_a2a_messages SET parts = ?, proof = NULL, answer = CASE WHEN answer IS NULL THEN NULL ELSE ? END
     WHERE message_id = ? AND (parts <> ? OR coalesce(answer, ?) <> ?)`,
    parts,
    mark,
    messageId,
    parts,
    mark,
    mark,
  );
}
