import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { startBare } from "../lib/bare.ts";
import { type CommitLoad, type CommitRound, startCommitLoad } from "../lib/commit-load.ts";
import { cpuUs } from "../lib/cpu.ts";
import { type Figures, median, medianRatio, quantile } from "../lib/figures.ts";
import { firstLine } from "../lib/first-line.ts";
import { makeHome } from "../lib/home.ts";

const IN_FLIGHT = 64;
const SIZES = {
  whole: { rounds: 10, count: 2000, warmUp: 4000, restMs: 1100 },
  short: { rounds: 5, count: 800, warmUp: 4000, restMs: 50 },
};
/** A server that used less of a processor has done what its commits left to do: the index of searches. */
const RESTING = 0.02;
const RESTS_MAX = 10;

const SETTINGS = {
  DARKMATTER_LEDGER_LIMIT_CALLS: "-1",
  DARKMATTER_LEDGER_LIMIT_AGENT_BYTES: "-1",
};

/** Servers of one database, or the probe, under load. */
interface Side {
  readonly name: string;
  readonly round: Pick<CommitRound, "urls" | "agent">;
  readonly pids: readonly number[];
  readonly perSecond: number[];
  /** One after another, of all rounds. */
  readonly latencies: number[];
  /** Of each round. */
  readonly p99s: number[];
  usedUs: number;
}

const sideOf = (name: string, pids: readonly number[], round: Side["round"]): Side => ({
  name,
  round,
  pids,
  perSecond: [],
  latencies: [],
  p99s: [],
  usedUs: 0,
});

type Size = (typeof SIZES)["whole"];

/** Signed commits a ledger server takes over HTTP, its proof in each answer, beside the least possible program. */
export async function measureCommits(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const size = short ? SIZES.short : SIZES.whole;
  await using load = await startCommitLoad();
  await using home = makeHome(SETTINGS);
  const sqlite = await ledgerSide("sqlite", load, [await server(home)]);
  const probe = await probeSide(home.folder);
  await sideBySide(load, [probe, sqlite], size);
  figures.add("ledger.commits_per_second", median(sqlite.perSecond), "commits/s");
  figures.add("ledger.commit_probe_per_second", median(probe.perSecond), "messages/s");
  figures.add("ledger.commit_vs_probe", medianRatio(sqlite.perSecond, probe.perSecond), "ratio", {
    least: 0.4,
    noisy: true,
  });
  const p99 = quantile(sqlite.latencies, 0.99);
  figures.add("ledger.proof_in_answer_p99_ms", p99, "ms", { most: 50, wholeOnly: true });
  figures.add("ledger.commit_probe_p99_ms", quantile(probe.latencies, 0.99), "ms");
  figures.add("ledger.proof_p99_vs_probe", medianRatio(sqlite.p99s, probe.p99s), "ratio", {
    most: short ? 4 : 2.5,
  });
  for (const side of [sqlite, probe])
    if (side.usedUs > 0)
      figures.add(`ledger.commit_cpu_us_${side.name}`, side.usedUs / (size.rounds * size.count), "µs");
  await measurePostgres(figures, load, sqlite, size);
}

/** Two processes on one PostgreSQL, beside one on a file. */
async function measurePostgres(figures: Figures, load: CommitLoad, sqlite: Side, size: Size): Promise<void> {
  const started = await startPrivatePostgres();
  if ("missing" in started) return figures.skip("ledger.postgres_vs_sqlite", started.missing);
  await using postgres = started;
  await using one = makeHome({ ...SETTINGS, DARKMATTER_LEDGER_DATABASE: postgres.url });
  await using other = makeHome({ ...SETTINGS, DARKMATTER_LEDGER_DATABASE: postgres.url });
  const first = await server(one);
  // One database has one log, and one key that signs it.
  const key = { DARKMATTER_LOG_KEY_FILE: join(one.folder, "ledger", "log.key") };
  const both = await ledgerSide("postgres", load, [first, await server(other, key)]);
  const fresh = sideOf("sqlite", sqlite.pids, sqlite.round);
  // Nothing has to be reached here: half as many rounds tell enough.
  const fewer = { ...size, warmUp: 1000, rounds: Math.ceil(size.rounds / 2), restMs: SIZES.short.restMs };
  await sideBySide(load, [fresh, both], fewer);
  figures.add("ledger.postgres_commits_per_second", median(both.perSecond), "commits/s");
  figures.add("ledger.postgres_p99_ms", quantile(both.latencies, 0.99), "ms");
  figures.add("ledger.postgres_vs_sqlite", medianRatio(both.perSecond, fresh.perSecond), "ratio");
}

/** Rounds in pairs, the order turned each time. */
async function sideBySide(load: CommitLoad, sides: readonly Side[], size: Size): Promise<void> {
  const run = async (side: Side, count: number) => {
    const outcome = await load.round({ ...side.round, count, inFlight: IN_FLIGHT });
    await rest(side, size.restMs);
    return outcome;
  };
  for (const side of sides) await run(side, size.warmUp);
  for (let pair = 0; pair < size.rounds; pair++) {
    for (const side of pair % 2 === 0 ? sides : sides.toReversed()) {
      const before = used(side);
      const { tookMs, latencies } = await run(side, size.count);
      side.usedUs += used(side) - before;
      side.perSecond.push((size.count / tookMs) * 1000);
      side.latencies.push(...latencies);
      side.p99s.push(quantile(latencies, 0.99));
    }
  }
}

/** So that nobody pays for what another's round has left to do. Its jobs look for work each second. */
async function rest(side: Side, restMs: number): Promise<void> {
  for (let rests = 0; rests < RESTS_MAX; rests++) {
    const before = used(side);
    await sleep(restMs);
    if ((used(side) - before) / 1000 < RESTING * restMs) return;
  }
}

/** What a side's processes have used of all processors; 0 where the system does not tell. */
const used = ({ pids }: Side) => pids.reduce((sum, pid) => sum + (cpuUs(pid) ?? 0), 0);

interface RunningServer {
  readonly url: string;
  readonly pid: number;
}

async function server(
  home: ReturnType<typeof makeHome>,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const args = ["serve", "ledger", "--dev", "--port", "0", "--json"];
  const child = home.start(args, ["ignore", "pipe", "inherit"], settings);
  const { url } = await firstLine<{ url: string }>(child);
  return { url, pid: child.pid ?? 0 };
}

/** An agent that may commit to these servers, its key registered. */
async function ledgerSide(name: string, load: CommitLoad, servers: readonly RunningServer[]): Promise<Side> {
  const [{ url } = { url: "" }] = servers;
  const { agentId, apiKey } = await post<{ agentId: string; apiKey: string }>(`${url}/api/provision`, {
    email: "bench@example.test",
    agentName: "bench",
  });
  await post(`${url}/api/agents/keys`, { publicKey: load.publicKey }, { authorization: `Bearer ${apiKey}` });
  return sideOf(
    name,
    servers.map(({ pid }) => pid),
    { urls: servers.map(({ url }) => url), agent: { agentId, apiKey } },
  );
}

async function probeSide(folder: string): Promise<Side> {
  const { pid, url } = await startBare("probe.ts", [join(folder, "probe.db")]);
  return sideOf("probe", [pid], { urls: [url] });
}

async function post<T>(url: string, body: object, headers: Record<string, string> = {}): Promise<T> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
