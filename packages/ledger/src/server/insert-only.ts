import type { Migration } from "@darkmatter/store";

/** A step that makes tables whose rows are never changed or deleted, on both engines. */
export function insertOnly(
  name: string,
  tables: readonly string[],
  sql: readonly string[],
): readonly Migration[] {
  return [
    { name, dialects: ["sqlite"], sql: [...sql, ...tables.flatMap(sqliteTriggers)] },
    { name: `${name}-postgres`, dialects: ["postgres"], sql: [...sql, ...tables.flatMap(postgresTriggers)] },
  ];
}

const sqliteTriggers = (table: string) =>
  ["UPDATE", "DELETE"].map(
    (act) => `CREATE TRIGGER ${table}_no_${act.toLowerCase()} BEFORE ${act} ON ${table}
     BEGIN SELECT RAISE(ABORT, 'rows of ${table} stay as they are'); END`,
  );

const postgresTriggers = (table: string) => [
  `CREATE FUNCTION ${table}_refuse() RETURNS trigger LANGUAGE plpgsql AS
   $$ BEGIN RAISE EXCEPTION 'rows of ${table} stay as they are'; END $$`,
  `CREATE TRIGGER ${table}_keep BEFORE UPDATE OR DELETE ON ${table}
   FOR EACH ROW EXECUTE FUNCTION ${table}_refuse()`,
  `CREATE TRIGGER ${table}_stay BEFORE TRUNCATE ON ${table}
   FOR EACH STATEMENT EXECUTE FUNCTION ${table}_refuse()`,
];
