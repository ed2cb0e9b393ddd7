import { memoryDatabase } from "@darkmatter/store/testing";
import { accountsSuite } from "../../testing/accounts-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

accountsSuite("SQLite", async () => {
  const db = await memoryDatabase(ledgerServerMigrations);
  return { db, another: async () => db };
});
