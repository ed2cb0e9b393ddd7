import type { Migration, Read, Write } from "@darkmatter/store";

export const noteMigrations: readonly Migration[] = [
  {
    name: "mesh/010-notes",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_notes (
         seq INTEGER PRIMARY KEY,
         at TEXT NOT NULL,
         message_id TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         text TEXT NOT NULL,
         shown INTEGER NOT NULL DEFAULT 0
       )`,
    ],
  },
];

/** A line this node tells its own agent: what became of a message or a connection. Never another agent's words. */
export interface Note {
  readonly at: string;
  /** Empty where it is of no message. */
  readonly messageId: string;
  readonly agentId: string;
  readonly text: string;
}

/** Notes kept; beyond it the oldest go. */
export const NOTES_MAX = 50;

export async function insertNote(tx: Write, note: Note): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_notes (at, message_id, agent_id, text) VALUES (?, ?, ?, ?)",
    note.at,
    note.messageId,
    note.agentId,
    note.text,
  );
  await tx.run("DELETE FROM mesh_notes WHERE seq <= (SELECT max(seq) FROM mesh_notes) - ?", NOTES_MAX);
}

type NoteRow = { at: string; message_id: string; agent_id: string; text: string };

/** Oldest first. */
export async function readNotes(tx: Read): Promise<Note[]> {
  const rows = await tx.all<NoteRow>("SELECT * FROM mesh_notes ORDER BY seq");
  return rows.map((row) => ({
    at: row.at,
    messageId: row.message_id,
    agentId: row.agent_id,
    text: row.text,
  }));
}

export async function countNewNotes(tx: Read): Promise<number> {
  return (await tx.get<{ n: number }>("SELECT count(*) AS n FROM mesh_notes WHERE shown = 0"))?.n ?? 0;
}

/** Notes that the agent was shown all there is. */
export async function markNotesShown(tx: Write): Promise<void> {
  await tx.run("UPDATE mesh_notes SET shown = 1 WHERE shown = 0");
}

/** Forgets what was shown and is older than `before` (ISO 8601, as written). */
export async function pruneNotes(tx: Write, before: string): Promise<void> {
  await tx.run("DELETE FROM mesh_notes WHERE shown = 1 AND at < ?", before);
}
