import { memoryDatabase } from "@darkmatter/store/testing";
import { searchSuite } from "../../testing/search-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

searchSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
