import type { Migration, Read, Write } from "@darkmatter/store";

export const identityMigrations: readonly Migration[] = [
  {
    name: "mesh/001-settings",
    dialects: ["sqlite"],
    sql: ["CREATE TABLE mesh_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"],
  },
];

/** What a node remembers about itself. Values are text; the slice that owns a name says what it means. */
export type SettingName =
  | "bio"
  | "created_at"
  | "display_name"
  | "inactive_until"
  | "rate_limit_connection"
  | "rate_limit_global"
  | "router_mode"
  | "state_file_read"
  | "state_file_rest"
  | "status"
  | "superagent_url";

export async function readSetting(tx: Read, name: SettingName): Promise<string | undefined> {
  const row = await tx.get<{ value: string }>("SELECT value FROM mesh_settings WHERE name = ?", name);
  return row?.value;
}

/** Several settings as one read. */
export async function readSettings<N extends SettingName>(
  tx: Read,
  names: readonly N[],
): Promise<Readonly<Partial<Record<N, string>>>> {
  // A look-up for each: the table that `IN` builds would cost several times as much.
  const values = names.map((name) => `(SELECT value FROM mesh_settings WHERE name = '${name}') AS ${name}`);
  const row = (await tx.get<Record<N, string | null>>(`SELECT ${values.join()}`)) ?? {};
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Partial<
    Record<N, string>
  >;
}

/** Keeps a setting; `undefined` removes it. */
export async function writeSetting(tx: Write, name: SettingName, value: string | undefined): Promise<void> {
  if (value === undefined) await tx.run("DELETE FROM mesh_settings WHERE name = ?", name);
  else {
    await tx.run(
      "INSERT INTO mesh_settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      value,
    );
  }
}
