import type { Clock, Json } from "@darkmatter/core";
import type { Migration, Read } from "./database.ts";
import type { Journal, JournalEvent } from "./journal.ts";

const COLUMNS = `
  at_ms BIGINT NOT NULL,
  act TEXT NOT NULL,
  trace TEXT NOT NULL,
  peer TEXT,
  message_id TEXT,
  fields TEXT NOT NULL`;

export const journalMigrations: readonly Migration[] = [
  {
    name: "store/001-journal",
    sql: [`CREATE TABLE journal (position INTEGER PRIMARY KEY, ${COLUMNS})`],
    dialects: ["sqlite"],
  },
  {
    name: "store/001-journal-postgres",
    sql: [`CREATE TABLE journal (position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${COLUMNS})`],
    dialects: ["postgres"],
  },
];

/** The journal as a plain table: append only, so that positions need no record of their own; one insert an act. */
export function createSqlJournal(clock: Clock): Journal {
  return {
    async append(tx, { act, trace, peer, messageId, fields }) {
      await tx.run(
        "INSERT INTO journal (at_ms, act, trace, peer, message_id, fields) VALUES (?, ?, ?, ?, ?, ?)",
        clock.now(),
        act,
        trace,
        peer,
        messageId ?? null,
        JSON.stringify(fields),
      );
    },
  };
}

export interface JournalEntry extends JournalEvent {
  /** Rises with each entry; entries of acts that failed leave gaps. */
  readonly position: number;
  readonly atMs: number;
}

/** The entries that follow a position (0: from the first), in order, at most `limit`. */
export async function journalAfter(read: Read, position: number, limit: number): Promise<JournalEntry[]> {
  const rows = await read.all<JournalRow>(
    "SELECT * FROM journal WHERE position > ? ORDER BY position LIMIT ?",
    position,
    limit,
  );
  return rows.map((row) => ({
    position: row.position,
    atMs: row.at_ms,
    act: row.act,
    trace: row.trace,
    peer: row.peer,
    messageId: row.message_id ?? undefined,
    fields: JSON.parse(row.fields) as Record<string, Json>,
  }));
}

type JournalRow = {
  position: number;
  at_ms: number;
  act: string;
  trace: string;
  peer: string | null;
  message_id: string | null;
  fields: string;
};
