import { hash } from "node:crypto";
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

/** Characters of JSON up to which a field's value is kept as it is. */
const FIELD_KEPT_MAX = 100;

/**
 * The journal as a plain table: append only, so that positions need no record of their own; one insert an act.
 *
 * It says what was done for ever, so it keeps no contents: of a longer value it holds `{sha256}`, the hash of the
 * value's JSON text, by which whoever has the content can show that it was this.
 */
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
        keptFields(fields),
      );
      return undefined;
    },
  };
}

function keptFields(fields: JournalEvent["fields"]): string {
  const kept = Object.entries(fields).map(([name, value]) => {
    const text = JSON.stringify(value);
    const short = text.length <= FIELD_KEPT_MAX;
    return `${JSON.stringify(name)}:${short ? text : `{"sha256":"${hash("sha256", text)}"}`}`;
  });
  return `{${kept.join(",")}}`;
}

export interface JournalEntry extends JournalEvent {
  /** Rises with each entry; entries of acts that failed leave gaps. */
  readonly position: number;
  readonly atMs: number;
}

/** The entries that follow a position (0: from the first), in order, at most `limit`. */
export async function journalAfter(read: Read, position: number, limit: number): Promise<JournalEntry[]> {
  const rows = await read.all<JournalRow>(
    "SELECT * FROM journal WHERE position > ? ORDER BY position LIMIT CAST(? AS BIGINT)",
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
