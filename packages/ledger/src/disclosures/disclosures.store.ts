import type { Json } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { Field } from "../commits/commit.ts";

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

/** The fields of a commit that are not erased, by name. */
export async function fieldsOf(read: Read, position: number): Promise<Field[]> {
  const row = await read.get<{ fields: string }>(
    "SELECT fields FROM ledger_fields WHERE position = ?",
    position,
  );
  return row ? fieldsIn(row.fields) : [];
}

export type FieldsRow = { position: number; fields: string };

export function fieldsIn(text: string): Field[] {
  const fields = JSON.parse(text) as Record<string, { salt: string; value: Json }>;
  return Object.entries(fields)
    .map(([name, { salt, value }]) => ({ name, salt, value }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
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

export async function erasuresOf(read: Read, position: number): Promise<Erasure[]> {
  const rows = await read.all<{ name: string; erased_ms: number }>(
    "SELECT name, erased_ms FROM ledger_erasures WHERE position = ? ORDER BY name",
    position,
  );
  return rows.map((row) => ({ name: row.name, erasedMs: row.erased_ms }));
}
