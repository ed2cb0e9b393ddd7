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
    expect(said).toEqual({
      newDatabase: "DATABASE_READ_ONLY",
      oldDatabase: "DATABASE_READ_ONLY",
      reading: "ok",
      replace: "FILE_READ_ONLY",
      create: "FILE_READ_ONLY",
      makeFolder: "FILE_READ_ONLY",
      readForbidden: "FILE_FORBIDDEN",
    });
  },
);
