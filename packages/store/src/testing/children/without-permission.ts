// Tries to open and to write in a folder that it may not write, and prints the codes it met.
import { join } from "node:path";
import { nodeFiles } from "../../adapters/node-files.ts";
import { openSqlite } from "../../adapters/sqlite.ts";

const NOBODY = 65_534;
const folder = process.argv[2] ?? "";

// Root may write anywhere, so it becomes somebody who may not; after the imports, which need its rights.
if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

async function codeOf(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return "ok";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const codes = {
  newDatabase: await codeOf(() => openSqlite({ path: join(folder, "new.db") })),
  oldDatabase: await codeOf(() => openSqlite({ path: join(folder, "old.db") })),
  reading: await codeOf(async () => {
    await using db = await openSqlite({ path: join(folder, "old.db"), readOnly: true });
    await db.get("SELECT * FROM notes");
  }),
  replace: await codeOf(() => nodeFiles.replace(join(folder, "file"), "x")),
  create: await codeOf(() => nodeFiles.create(join(folder, "file"), "x")),
  makeFolder: await codeOf(() => nodeFiles.makeFolder(join(folder, "inner"))),
  readForbidden: await codeOf(() => nodeFiles.read(join(folder, "secret"))),
};
process.stdout.write(JSON.stringify(codes));
