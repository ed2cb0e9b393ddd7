import { memoryDatabase } from "@darkmatter/store/testing";
import { agentsSuite } from "../../testing/agents-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

agentsSuite("SQLite", async () => {
  const db = await memoryDatabase(ledgerServerMigrations);
  return { db, another: async () => db };
});
