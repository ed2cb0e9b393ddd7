import { join } from "node:path";
import { closeAfterAll, databaseSuite } from "../testing/database-suite.ts";
import { tempFolder } from "../testing/temp-folder.ts";
import { openSqlite } from "./sqlite.ts";

const onEnd = closeAfterAll();

databaseSuite("SQLite in memory", () => openSqlite({ path: ":memory:" }));

databaseSuite("SQLite in a file", () => {
  const folder = tempFolder();
  onEnd(() => folder[Symbol.dispose]());
  return openSqlite({ path: join(folder.path, "deep", "er", "state.db") });
});
