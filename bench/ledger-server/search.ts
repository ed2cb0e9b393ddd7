import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { createSigner, type Signer } from "@darkmatter/identity";
import { ledgerServerMigrations } from "@darkmatter/ledger";
import {
  buildLargeLedger,
  LARGE_LEDGER_MODELS,
  type LargeLedger,
  type TestAgent,
  testServer,
} from "@darkmatter/ledger/testing";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import type { Figures } from "../lib/figures.ts";
import { type Home, makeHome } from "../lib/home.ts";
import { measureRss } from "./rss.ts";

const COMMITS = { whole: 1_000_000, short: 20_000 };
const QUERIES = 200;
const HITS_MAX = 1000;
/** The first round warms up. */
const ROUNDS = 3;

/** A search, and whose. */
export interface Query {
  readonly by: TestAgent;
  readonly path: string;
}

/** Searching a large ledger on SQLite, and what its server takes of memory. */
export async function measureSearch(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const commits = short ? COMMITS.short : COMMITS.whole;
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
  const queries = queriesOf(ledger, commits);
  const { times, totals } = await searchAll(home, logKey, queries);
  if (Math.max(...totals) > HITS_MAX) throw new Error(`a query has ${Math.max(...totals)} hits`);
  figures.add("ledger.search_hits_median", quantile(totals, 0.5), "hits");
  figures.add("ledger.search_hits_p95", quantile(totals, 0.95), "hits");
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

async function searchAll(home: Home, logKey: Signer, queries: readonly Query[]) {
  const db = await databaseOf(home);
  await using server = await testServer({ db, ports: { clock: systemClock, logKey } });
  // As at the start of a server.
  for (const job of server.server.jobs) if (job.name === "ledger.search") await job.run();
  const times: number[] = [];
  const totals: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const { by, path } of queries) {
      const startMs = performance.now();
      const { status, text } = await server.call({ path }, by);
      const ms = performance.now() - startMs;
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      if (process.env.BENCH_VERBOSE) console.log(round, ms.toFixed(1), JSON.parse(text).total, path);
      if (round === 0) totals.push((JSON.parse(text) as { total: number }).total);
      else times.push(ms);
    }
  }
  return { times, totals };
}

type Random = ReturnType<typeof seededRandom>;

/** Whole names, parts of names and of words, phrases, JSON, three characters, and what is nowhere; in any case. */
const KINDS: readonly ((ledger: LargeLedger, random: Random, at: number) => string)[] = [
  ({ namesOf }, _random, at) => `req-${namesOf(at).request}`,
  ({ namesOf }, _random, at) => namesOf(at).request.slice(3, 9).toUpperCase(),
  ({ vocabulary }, random) => pick(vocabulary.rare, random),
  ({ vocabulary }, random) => pick(vocabulary.rare, random).slice(1).toUpperCase(),
  ({ vocabulary }, random) => `${pick(vocabulary.middle, random)} ${pick(vocabulary.middle, random)}`,
  ({ namesOf }, _random, at) => `"ticket":${namesOf(at).ticket}`,
  ({ vocabulary }, random) => `${pick(vocabulary.rare, random)} ${pick(vocabulary.common, random)}`,
  (_ledger, random) => `${pick([..."0123456789abcdef"], random)}-${random.integer(10)}`,
  ({ namesOf }, _random, at) => `req-${[...namesOf(at).request].reverse().join("")}`,
  ({ vocabulary }, random) => `${pick(vocabulary.rare, random)}?","output`,
];

/** Filters that searches narrow down by; none for every other. */
const FILTERS: readonly ((by: TestAgent, random: Random) => Record<string, string>)[] = [
  () => ({}),
  (_by, random) => ({ model: pick(LARGE_LEDGER_MODELS, random) }),
  () => ({ limit: "200" }),
  () => ({ provider: "openai", event: "commit" }),
  () => ({}),
  (by) => ({ agentId: by.id }),
  () => ({ from: "2026-01-02", to: "2026-03-31" }),
  () => ({ event: "anthropic.tool_call", limit: "10" }),
];

function queriesOf(ledger: LargeLedger, commits: number): Query[] {
  const random = seededRandom(QUERIES);
  return Array.from({ length: QUERIES }, (_, at) => {
    const by = ledger.accounts[at % 5 === 4 ? 1 : at % 7 === 6 ? 2 : 0]?.[0] as TestAgent;
    const q = KINDS[at % KINDS.length]?.(ledger, random, random.integer(commits)) ?? "";
    const filter = FILTERS[Math.floor(at / KINDS.length) % FILTERS.length]?.(by, random);
    return { by, path: `/api/search?${new URLSearchParams({ q, ...filter })}` };
  });
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[random.integer(values.length)] as T;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
