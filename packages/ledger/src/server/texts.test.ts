import { memoryDatabase } from "@darkmatter/store/testing";
import { textsSuite } from "../testing/server-texts-suite.ts";
import { ledgerServerMigrations } from "./schema.ts";

textsSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
