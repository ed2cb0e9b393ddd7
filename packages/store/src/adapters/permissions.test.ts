import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../testing/temp-folder.ts";
import { openSqlite } from "./sqlite.ts";

const CHILD = join(import.meta.dirname, "../testing/children/without-permission.ts");

test.skipIf(process.platform === "win32")(
  "where nothing may be written everything says so, and reading works",
  async () => {
    using folder = tempFolder();
    const db = await openSqlite({ path: join(folder.path, "old.db") });
    await db.write((tx) => tx.run("CREATE TABLE notes (id BIGINT)"));
    await db.close();
    writeFileSync(join(folder.path, "secret"), "s");
    chmodSync(join(folder.path, "old.db"), 0o444);
    chmodSync(join(folder.path, "secret"), 0o000);
    chmodSync(folder.path, 0o555);

    const said = JSON.parse(execFileSync(process.execPath, [CHILD, folder.path], { encoding: "utf8" }));

    chmodSync(folder.path, 0o700);
    const nothing = `FILE_READ_ONLY Nothing can be written in ${folder.path}.`;
    expect(said).toEqual({
      newDatabase: `DATABASE_READ_ONLY The database ${join(folder.path, "new.db")} cannot be written.`,
      oldDatabase: `DATABASE_READ_ONLY The database ${join(folder.path, "old.db")} cannot be written.`,
      reading: "ok",
      replace: nothing,
      create: nothing,
      makeFolder: nothing,
      readForbidden: `FILE_FORBIDDEN The file cannot be read: ${join(folder.path, "secret")}`,
    });
  },
);
