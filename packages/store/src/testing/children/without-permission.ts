// Tries to open and to write in a folder that it may not write, and prints what it met.
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

async function metBy(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return "ok";
  } catch (error) {
    return error instanceof Error && "code" in error ? `${error.code} ${error.message}` : String(error);
  }
}

const met = {
  newDatabase: await metBy(() => openSqlite({ path: join(folder, "new.db") })),
  oldDatabase: await metBy(() => openSqlite({ path: join(folder, "old.db") })),
  reading: await metBy(async () => {
    await using db = await openSqlite({ path: join(folder, "old.db"), readOnly: true });
    await db.get("SELECT * FROM notes");
  }),
  replace: await metBy(() => nodeFiles.replace(join(folder, "file"), "x")),
  create: await metBy(() => nodeFiles.create(join(folder, "file"), "x")),
  makeFolder: await metBy(() => nodeFiles.makeFolder(join(folder, "inner"))),
  readForbidden: await metBy(() => nodeFiles.read(join(folder, "secret"))),
};
process.stdout.write(JSON.stringify(met));
