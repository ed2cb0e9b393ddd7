import { memoryDatabase } from "@darkmatter/store/testing";
import { serverChainSuite } from "../../testing/server-chain-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

serverChainSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
