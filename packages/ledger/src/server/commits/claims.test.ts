import { memoryDatabase } from "@darkmatter/store/testing";
import { serverClaimsSuite } from "../../testing/server-claims-suite.ts";
import { ledgerServerMigrations } from "../schema.ts";

serverClaimsSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));
