import { type Database, migrate, openPostgres, storeMigrations } from "@darkmatter/store";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { afterAll, beforeAll, type TestContext } from "vitest";
import { accountsSuite } from "../testing/accounts-suite.ts";
import { agentsSuite } from "../testing/agents-suite.ts";
import { reusedSchemas } from "../testing/postgres-schemas.ts";
import { searchSuite } from "../testing/search-suite.ts";
import { serverChainSuite } from "../testing/server-chain-suite.ts";
import { checkpointRaceSuite, checkpointSuite } from "../testing/server-checkpoint-suite.ts";
import { serverClaimsSuite } from "../testing/server-claims-suite.ts";
import { serverCommitSuite } from "../testing/server-commit-suite.ts";
import { serverExportSuite } from "../testing/server-export-suite.ts";
import { serverForkSuite } from "../testing/server-fork-suite.ts";
import { keysSuite } from "../testing/server-keys-suite.ts";
import { ledgerCheckSuite } from "../testing/server-ledger-check-suite.ts";
import { serverLogSuite } from "../testing/server-log-suite.ts";
import { serverMemorySuite } from "../testing/server-memory-suite.ts";
import { serverProcessesSuite } from "../testing/server-processes-suite.ts";
import { sharesSuite } from "../testing/server-shares-suite.ts";
import { statsSuite } from "../testing/server-stats-suite.ts";
import { textsSuite } from "../testing/server-texts-suite.ts";
import { windowsSuite } from "../testing/windows-suite.ts";
import { ledgerServerMigrations } from "./schema.ts";
import { databaseWindows } from "./windows.ts";

let postgres: Awaited<ReturnType<typeof startPrivatePostgres>>;
let schemas = 0;

beforeAll(async () => {
  postgres = await startPrivatePostgres();
}, 60_000);

afterAll(async () => {
  if ("url" in postgres) await postgres[Symbol.asyncDispose]();
}, 30_000);

async function connect(schema: string): Promise<Database> {
  // The server's stop may overtake the last words of a pool that is closed already.
  const report = () => undefined;
  return openPostgres({ url: "url" in postgres ? postgres.url : "", schema, connections: 8, report });
}

const migrated = (db: Database) => migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
const reused = reusedSchemas({ connect, migrate: migrated });

/** A schema for this test alone, empty. */
async function open(context: TestContext): Promise<Database> {
  if ("missing" in postgres) return context.skip(postgres.missing);
  return reused();
}

async function openSchema(context: TestContext, schema: string): Promise<Database> {
  if ("missing" in postgres) return context.skip(postgres.missing);
  const db = await connect(schema);
  await migrated(db);
  return db;
}

/** A schema of its own, and further pools for it: as other processes have it. */
async function openShared(context: TestContext) {
  const schema = `s${++schemas}`;
  const url = "url" in postgres ? postgres.url : "";
  return { url, schema, db: await openSchema(context, schema), another: () => openSchema(context, schema) };
}

accountsSuite("PostgreSQL", openShared);
agentsSuite("PostgreSQL", openShared);
windowsSuite("PostgreSQL", async (context, clock) => {
  const db = await open(context);
  return { windows: databaseWindows(db, clock), close: () => db.close() };
});
checkpointSuite("PostgreSQL", open);
checkpointRaceSuite("PostgreSQL", openShared);
serverMemorySuite("PostgreSQL", open);
ledgerCheckSuite("PostgreSQL", open);
serverLogSuite("PostgreSQL", open);
serverCommitSuite("PostgreSQL", open);
serverClaimsSuite("PostgreSQL", open);
serverForkSuite("PostgreSQL", open);
serverProcessesSuite(openShared);
keysSuite("PostgreSQL", open);
searchSuite("PostgreSQL", open);
sharesSuite("PostgreSQL", open);
statsSuite("PostgreSQL", open);
textsSuite("PostgreSQL", open);
serverChainSuite("PostgreSQL", open);
serverExportSuite("PostgreSQL", open);
