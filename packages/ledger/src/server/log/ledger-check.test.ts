import { memoryDatabase } from "@darkmatter/store/testing";
import { ledgerCheckSuite } from "../../testing/server-ledger-check-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

ledgerCheckSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
