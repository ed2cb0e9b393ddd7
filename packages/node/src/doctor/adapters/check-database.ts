import { existsSync } from "node:fs";
import { type DarkMatterError, hasCode, reasonOf } from "@darkmatter/core";
import { type Database, openSqlite, requireMigrated, storeMigrations } from "@darkmatter/store";
import { readOwnerCard } from "../../adapters/owner-card.ts";
import { type Agent, assemblyOf, type OwningOptions } from "../../adapters/owning.ts";
import { shellQuoted } from "../../setup/skill.ts";
import { type Finding, fail, ok } from "../finding.ts";
import type { Typing } from "./patient.ts";

/** The database: opens, holds together, and is of this version. */
export async function checkDatabase(
  options: OwningOptions,
  { places }: Agent,
  { command }: Typing,
): Promise<{ readonly findings: readonly Finding[]; readonly readable: boolean }> {
  const path = places.database;
  if (!existsSync(path))
    return { findings: [ok("database", "none yet: the first start makes it")], readable: false };
  let db: Database | undefined;
  try {
    db = await openSqlite({ path, readOnly: true });
    await requireMigrated(db, [...storeMigrations, ...(await assemblyOf(options)).migrations]);
    return { findings: [ok("database", `sound, ${path}`)], readable: true };
  } catch (error) {
    return { findings: [trouble(error, path, places.ownerCard, command)], readable: false };
  } finally {
    await db?.close();
  }
}

function trouble(error: unknown, path: string, ownerCard: string, command: Typing["command"]): Finding {
  // What an older version left is brought up to date by the next start, and nothing is wrong with it.
  if (hasCode(error, "DATABASE_OLDER"))
    return ok("database", "of an older version: the next start brings it up to date");
  const what = `${path}: ${reasonOf(error)}`;
  if (hasCode(error, "DATABASE_DAMAGED")) {
    const files = [path, `${path}-wal`, `${path}-shm`].map(shellQuoted).join(" ");
    const aside = `for f in ${files}; do [ ! -e "$f" ] || mv "$f" "$f.damaged"; done`;
    return fail("database", `${what} To begin with an empty one where no backup is at hand:`, aside);
  }
  if (hasCode(error, "DATABASE_NEWER")) {
    const version = readOwnerCard(ownerCard)?.version;
    return fail(
      "database",
      what,
      `Start the newer program that wrote it${version ? ` (it last ran as version ${version})` : ""}; nothing here is lost.`,
    );
  }
  return fail("database", what, (error as Partial<DarkMatterError>).hint ?? command("fsck"));
}
