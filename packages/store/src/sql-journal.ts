import type { Clock } from "@darkmatter/core";
import type { Migration } from "./database.ts";
import type { Journal } from "./journal.ts";

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
    sql: [`CREATE TABLE journal (position INTEGER PRIMARY KEY AUTOINCREMENT, ${COLUMNS})`],
    dialects: ["sqlite"],
  },
  {
    name: "store/001-journal-postgres",
    sql: [`CREATE TABLE journal (position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${COLUMNS})`],
    dialects: ["postgres"],
  },
];

/** The journal as a plain table: append only, one insert an act. Read it with `journalAfter`. */
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
