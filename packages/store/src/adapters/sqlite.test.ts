import { join } from "node:path";
import type { Database } from "../database.ts";
import { closeAfterAll, databaseSuite } from "../testing/database-suite.ts";
import { tablesSuite } from "../testing/tables-suite.ts";
import { tempFolder } from "../testing/temp-folder.ts";
import { openSqlite } from "./sqlite.ts";

const onEnd = closeAfterAll();

function openMemory(): Promise<Database> {
  return openSqlite({ path: ":memory:" });
}

function openFile(): Promise<Database> {
  const folder = tempFolder();
  onEnd(() => folder[Symbol.dispose]());
  return openSqlite({ path: join(folder.path, "deep", "er", "state.db") });
}

databaseSuite("SQLite in memory", openMemory);
databaseSuite("SQLite in a file", openFile);
tablesSuite("SQLite in memory", openMemory);
tablesSuite("SQLite in a file", openFile);
