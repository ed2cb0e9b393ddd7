import { memoryDatabase } from "@darkmatter/store/testing";
import { checkpointSuite } from "../../testing/server-checkpoint-suite.ts";
import { serverMemorySuite } from "../../testing/server-memory-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

checkpointSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
serverMemorySuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
