import { memoryDatabase } from "@darkmatter/store/testing";
import { serverLogSuite } from "../../testing/server-log-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

serverLogSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
