import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "@darkmatter/core/testing";
import type { Figures } from "../../bench/lib/figures.ts";
import { until, within } from "../../e2e/checks.ts";
import type { KillPlan } from "../talk.ts";
import { type Acknowledged, type Clients, startClients } from "./clients.ts";
import { ENGINES, type Engine, type Servers, startServers } from "./servers.ts";

const MOMENT_MS = 700;
const READY_WITHIN_MS = 30_000;
/** Starting again takes most of a cycle; what is answered in between must be more than a trickle, and is waited for. */
const COMMITS_A_CYCLE = 20;
const PROGRESS_EVERY = 10;
/** Of all kills, so many must hit commits under way. */
const UNDER_WAY_SHARE = 0.9;

/** A ledger server is killed while it takes commits: on SQLite its one process, on PostgreSQL one of two. */
export async function killLedger(plan: KillPlan, figures: Figures): Promise<void> {
  for (const engine of ENGINES) await killEngine(engine, plan, figures);
}

async function killEngine(engine: Engine, { cycles, seed }: KillPlan, figures: Figures): Promise<void> {
  const started = await startServers(engine);
  if ("missing" in started) return figures.skip(`kill.ledger_${engine}`, started.missing);
  await using servers = started;
  const clients = await startClients(servers);
  const random = seededRandom(seed);
  let hits = 0;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const victim = random.integer(servers.urls.length);
    const momentMs = random.integer(MOMENT_MS);
    await within(READY_WITHIN_MS, servers.ready());
    await sleep(momentMs);
    const enough = () => clients.acknowledged.size >= cycle * COMMITS_A_CYCLE;
    await until(`${engine}: commits before kill ${cycle}`, enough, READY_WITHIN_MS);
    if (clients.pending > 0) hits++;
    await servers.kill(victim);
    if (cycle % PROGRESS_EVERY === 0)
      console.log(`${engine}: ${cycle} kills, ${clients.acknowledged.size} commits acknowledged`);
  }
  await within(READY_WITHIN_MS, servers.ready());
  await within(READY_WITHIN_MS, clients.finish());
  const lost = await lostOf(servers, clients);
  await servers.stop();
  const { problems, commits } = await servers.check();
  report(figures, engine, { servers, clients, lost, problems, commits, hits, cycles });
}

interface Outcome {
  readonly servers: Servers;
  readonly clients: Clients;
  readonly lost: readonly string[];
  readonly problems: readonly string[];
  readonly commits: number;
  readonly hits: number;
  readonly cycles: number;
}

function report(figures: Figures, engine: Engine, outcome: Outcome): void {
  const { servers, clients, lost, problems, commits, hits, cycles } = outcome;
  const { acknowledged, troubles } = clients;
  for (const [what, times] of troubles) console.log(`  ${times} × ${what}`);
  const twice =
    [...acknowledged.values()].length - new Set([...acknowledged.values()].map(({ id }) => id)).size;
  for (const [what, list] of Object.entries({ lost, broken: problems, alone: servers.endedAlone }))
    for (const one of list) console.log(`${what}: ${one}`);
  const name = (what: string) => `kill.ledger_${engine}_${what}`;
  figures.add(name("acknowledged"), acknowledged.size, "commits", { least: cycles * COMMITS_A_CYCLE });
  figures.add(name("under_way"), hits, "kills", { least: cycles * UNDER_WAY_SHARE });
  figures.add(name("lost"), lost.length, "commits", { most: 0 });
  // Every key was repeated until it was answered, so each is one commit, and there are no others.
  figures.add(name("twice"), twice + Math.abs(commits - acknowledged.size - demoCommits), "commits", {
    most: 0,
  });
  figures.add(name("broken_chains"), problems.length, "", { most: 0 });
  figures.add(name("ended_alone"), servers.endedAlone.length, "processes", { most: 0 });
}

/** The chain of the demo that every server makes at its first start (ledger.md 3.15). */
const demoCommits = 5;

/** Acknowledged commits that the log does not hold as they were acknowledged. */
async function lostOf(servers: Servers, { acknowledged }: Clients): Promise<string[]> {
  const lost: string[] = [];
  const ids = new Map([...acknowledged.values()].map((commit) => [commit.position, commit]));
  for (const commit of ids.values()) if (!(await isHeld(servers, commit))) lost.push(commit.id);
  return lost;
}

async function isHeld(
  { urls }: Servers,
  { id, position, integrityHash, server }: Acknowledged,
): Promise<boolean> {
  // Asked of another process than the one that answered, where there is one.
  const answer = await fetch(`${urls[(server + 1) % urls.length]}/api/log/proof/${id}`);
  if (answer.status !== 200) return false;
  const proof = (await answer.json()) as {
    log_position: number;
    leaf_envelope: { integrity_hash: string };
  };
  return proof.log_position === position && `sha256:${proof.leaf_envelope.integrity_hash}` === integrityHash;
}
