import { isJsonObject, type Json } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { Field } from "../commits/commit.ts";
import { ledgerError } from "../errors.ts";

// A row is emptied, never deleted: SQLite overwrites what an update shortens, but the rows it moves about when it
// joins half-empty pages leave copies in the gaps, which no later erasing would find.
const TABLES = [
  "CREATE TABLE ledger_fields (position BIGINT NOT NULL PRIMARY KEY, fields TEXT NOT NULL)",
  `CREATE TABLE ledger_erasures (
     position BIGINT NOT NULL,
     name TEXT NOT NULL,
     erased_ms BIGINT NOT NULL,
     PRIMARY KEY (position, name)
   )`,
];

export const disclosureMigrations: readonly Migration[] = [
  {
    name: "ledger/002-fields",
    dialects: ["sqlite"],
    sql: TABLES.map((table) => table.replace("BIGINT NOT NULL PRIMARY KEY", "INTEGER PRIMARY KEY")),
  },
  { name: "ledger/002-fields-postgres", dialects: ["postgres"], sql: TABLES },
];

const NO_FIELDS = "{}";

/** `fields` is the JSON text of `{name: {salt, value}}`. */
export async function insertFields(tx: Write, position: number, fields: string): Promise<void> {
  if (fields === NO_FIELDS) return;
  await tx.run("INSERT INTO ledger_fields (position, fields) VALUES (?, ?)", position, fields);
}

type FieldsRow = { position: number; fields: string };

/** The fields of a commit that are not erased, by name. */
export async function fieldsOf(read: Read, position: number): Promise<Field[]> {
  const found = await fieldsBetween(read, position, position + 1);
  return found.get(position) ?? [];
}

/** The same for the commits from one position to before another. @throws LEDGER_DAMAGED */
export async function fieldsBetween(read: Read, start: number, end: number): Promise<Map<number, Field[]>> {
  const rows = await read.all<FieldsRow>(
    "SELECT position, fields FROM ledger_fields WHERE position >= ? AND position < ?",
    start,
    end,
  );
  return new Map(rows.map(({ position, fields }) => [position, fieldsIn(fields, position)]));
}

/** Positions with fields, or with fields erased, that the log does not reach. */
export async function countStrayFields(read: Read, size: number): Promise<number> {
  const row = await read.get<{ stray: number }>(
    `SELECT (SELECT count(*) FROM ledger_fields WHERE position < 0 OR position >= ?)
       + (SELECT count(*) FROM ledger_erasures WHERE position < 0 OR position >= ?) AS stray`,
    size,
    size,
  );
  return row?.stray ?? 0;
}

function fieldsIn(text: unknown, position: number): Field[] {
  const fields = parsed(text, position);
  if (!isJsonObject(fields) || !Object.values(fields).every(isField)) throw unreadable(position);
  return Object.entries(fields as Record<string, { salt: string; value: Json }>)
    .map(([name, { salt, value }]) => ({ name, salt, value }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Without a limit to its depth: the value had to pass one, and lies deeper here than it came. */
function parsed(text: unknown, position: number): Json {
  try {
    return JSON.parse(String(text)) as Json;
  } catch (cause) {
    throw unreadable(position, cause);
  }
}

function unreadable(position: number, cause?: unknown): Error {
  return ledgerError(
    "LEDGER_DAMAGED",
    `The fields of the commit at position ${position} are unreadable.`,
    cause,
  );
}

function isField(field: Json): boolean {
  return isJsonObject(field) && typeof field.salt === "string" && field.value !== undefined;
}

export async function replaceFields(tx: Write, position: number, fields: readonly Field[]): Promise<void> {
  const kept = Object.fromEntries(fields.map(({ name, salt, value }) => [name, { salt, value }]));
  await tx.run("UPDATE ledger_fields SET fields = ? WHERE position = ?", JSON.stringify(kept), position);
}

/** A field that was erased, and when. */
export interface Erasure {
  readonly name: string;
  readonly erasedMs: number;
}

export async function insertErasure(tx: Write, position: number, erasure: Erasure): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_erasures (position, name, erased_ms) VALUES (?, ?, ?)",
    position,
    erasure.name,
    erasure.erasedMs,
  );
}

/** The erased fields of a commit, by name. */
export async function erasuresOf(read: Read, position: number): Promise<Erasure[]> {
  const found = await erasuresBetween(read, position, position + 1);
  return found.get(position) ?? [];
}

export async function erasuresBetween(
  read: Read,
  start: number,
  end: number,
): Promise<Map<number, Erasure[]>> {
  const rows = await read.all<{ position: number; name: string; erased_ms: number }>(
    `SELECT position, name, erased_ms FROM ledger_erasures WHERE position >= ? AND position < ?
     ORDER BY position, name`,
    start,
    end,
  );
  const found = Map.groupBy(rows, ({ position }) => position);
  return new Map(
    [...found].map(([position, erased]) => [
      position,
      erased.map((row) => ({ name: row.name, erasedMs: row.erased_ms })),
    ]),
  );
}
