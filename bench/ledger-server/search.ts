import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@darkmatter/core";
import { createSigner, type Signer } from "@darkmatter/identity";
import { ledgerServerMigrations } from "@darkmatter/ledger/server";
import { buildLargeLedger, type LargeLedger, testServer } from "@darkmatter/ledger/testing";
import { type Database, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import type { Figures } from "../lib/figures.ts";
import { type Home, makeHome } from "../lib/home.ts";
import { countAll } from "./counting.ts";
import { chooseQueries, pathOf, type Query } from "./queries.ts";
import { measureRss } from "./rss.ts";

const COMMITS = { whole: 1_000_000, short: 10_000 };
const QUERIES = { whole: 200, short: 40 };
/** So many of the queries are counted by reading everything. */
const COUNTED = 20;
/** The first round warms up. */
const ROUNDS = 3;

/** Searching a large ledger on SQLite, and what its server takes of memory. */
export async function measureSearch(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const size = short ? "short" : "whole";
  const commits = COMMITS[size];
  // One log has one key, whoever serves it.
  const { privateKey } = generateKeyPairSync("ed25519");
  await using home = makeHome({
    DARKMATTER_LEDGER_LIMIT_CALLS: "-1",
    DARKMATTER_LOG_KEY: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  });
  const logKey = createSigner(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));
  const startMs = performance.now();
  const ledger = await build(home, commits);
  figures.add("ledger.search_build_s", (performance.now() - startMs) / 1000, "s");
  const { queries, times } = await searchAll(home, logKey, ledger, { commits, count: QUERIES[size] });
  const totals = queries.map(({ hits }) => hits);
  figures.add("ledger.search_hits_median", quantile(totals, 0.5), "hits");
  figures.add("ledger.search_hits_most", Math.max(...totals), "hits");
  figures.add("ledger.search_p50_ms", quantile(times, 0.5), "ms");
  figures.add("ledger.search_p95_ms", quantile(times, 0.95), "ms", { most: 20, noisy: true });
  figures.add("ledger.search_max_ms", Math.max(...times), "ms");
  await measureRss(figures, home, queries);
}

function databaseOf(home: Home) {
  mkdirSync(join(home.folder, "ledger"), { recursive: true, mode: 0o700 });
  return openSqlite({ path: join(home.folder, "ledger", "ledger.db") });
}

async function build(home: Home, commits: number): Promise<LargeLedger> {
  await using db = await databaseOf(home);
  await migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
  const ledger = await buildLargeLedger({ db, clock: systemClock }, commits);
  await db.purge();
  return ledger;
}

async function searchAll(
  home: Home,
  logKey: Signer,
  ledger: LargeLedger,
  size: { readonly commits: number; readonly count: number },
) {
  const db = await databaseOf(home);
  await using server = await testServer({ db, ports: { clock: systemClock, logKey } });
  // As at the start of a server: the index's parts are merged, as they are while fewer than 300 commits a second come.
  for (const job of server.server.jobs) if (job.name === "ledger.search") await job.run();
  const queries = await chooseQueries(server, ledger, size);
  await checkHits(db, queries);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const query of queries) {
      const startMs = performance.now();
      const { status, text } = await server.call({ path: pathOf(query) }, query.by);
      const ms = performance.now() - startMs;
      const { total } = JSON.parse(text) as { total?: number };
      if (status !== 200 || total !== query.hits) throw new Error(`${pathOf(query)}: ${status} ${text}`);
      if (process.env.BENCH_VERBOSE) console.log(round, ms.toFixed(1), total, pathOf(query));
      if (round > 0) times.push(ms);
    }
  }
  return { queries, times };
}

async function checkHits(db: Database, queries: readonly Query[]): Promise<void> {
  const checked = queries.filter((_query, at) => at % Math.ceil(queries.length / COUNTED) === 0);
  for (const [at, hits] of (await countAll(db, checked)).entries())
    if (hits !== checked[at]?.hits) throw new Error(`${JSON.stringify(checked[at])}: there are ${hits}`);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
