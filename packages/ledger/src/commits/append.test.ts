import { join } from "node:path";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { closeAfterAll, memoryDatabase, tempFolder } from "@darkmatter/store/testing";
import { ledgerMigrations } from "../schema.ts";
import { appendSuite } from "../testing/append-suite.ts";

const onEnd = closeAfterAll();

appendSuite("SQLite in memory", () => memoryDatabase(ledgerMigrations));

appendSuite("SQLite in a file", async () => {
  const folder = tempFolder();
  onEnd(() => folder[Symbol.dispose]());
  const db = await openSqlite({ path: join(folder.path, "state.db") });
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  return db;
});
