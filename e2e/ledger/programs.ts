import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Checks } from "../checks.ts";
import { type Any, call } from "./calls.ts";
import type { LedgerServers } from "./servers.ts";

const run = promisify(execFile);

const FOLDER = join(import.meta.dirname, "programs");
const PROGRAM_MS = 30_000;

/** Programs that speak plain HTTP, as people write them: each runs by itself, and what it read is looked at here. */
export async function runPrograms(checks: Checks, servers: LedgerServers): Promise<void> {
  const check = (name: string, body: () => Promise<void>) =>
    checks.check(`ledger ${servers.engine}: ${name}`, body, PROGRAM_MS);
  await check("the curl quick start", () => quickstart(servers));
  if (spawnSync("python3", ["--version"], { stdio: "ignore" }).status !== 0) {
    checks.skip(`ledger ${servers.engine}: programs in Python`, "there is no python3");
    return;
  }
  await check("a single developer's loop", () => singleDeveloper(servers));
  await check("a graph whose nodes commit", () => langGraph(servers));
  await check("a crew whose tasks commit", () => crew(servers));
  await check("a client that hashes and checks by itself", () => clientHashes(servers));
}

async function quickstart({ urls, home }: LedgerServers): Promise<void> {
  const folder = join(home.project, "quickstart");
  mkdirSync(folder);
  await run("sh", [join(FOLDER, "quickstart.sh"), urls.at(-1) ?? "", folder]);
  const read = (name: string): Any => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  const [commit, answer, fork, writer] = ["commit", "answer", "fork", "writer"].map(read);

  assert.equal(commit.integrity.verification_status, "valid");
  assert.equal(commit.verify_url, `${urls.at(-1)}/r/${commit.id}`);
  const { agentId, agentName, contexts, count } = read("pull");
  assert.deepEqual([agentId, agentName, count], [writer.agentId, "writer", 1]);
  assert.deepEqual(
    [contexts[0].id, contexts[0].payload.output, contexts[0].created_by.agent_name],
    [commit.id, "Up 34 %.", "researcher"],
  );
  assert.deepEqual([read("me").agentId, read("me").agentName], [writer.agentId, "writer"]);

  const { replay, chainIntact, summary } = read("replay");
  assert.deepEqual(
    replay.map((step: Any) => [step.step, step.id, step.payload.output]),
    [
      [1, commit.id, "Up 34 %."],
      [2, answer.id, "A good quarter."],
    ],
  );
  assert.deepEqual(
    [chainIntact, summary.agents, summary.models],
    [true, ["researcher", "writer"], ["claude-opus-4-6", "gpt-4o"]],
  );
  assert.ok(read("summary").replay.every((step: Any) => !("payload" in step)));
  assert.deepEqual(
    [fork.fork_of, fork.fork_point, fork.lineage_root, fork.branch_key],
    [answer.id, commit.id, commit.id, "experiment-1"],
  );

  const verdict = read("verify");
  assert.deepEqual([verdict.chain_intact, verdict.length, verdict.lineage_root], [true, 2, commit.id]);
  assert.deepEqual(
    [verdict.root_hash, verdict.tip_hash],
    [commit.integrity.integrity_hash, answer.integrity.integrity_hash],
  );
  const { metadata, integrity, chain } = read("export");
  assert.deepEqual([metadata.ctx_id, metadata.chain_length, integrity.chain_intact], [answer.id, 2, true]);
  assert.deepEqual(chain[1].payload, answer.payload);

  assert.deepEqual([read("legacy").event.type, read("legacy").payload.output.reviewer], ["override", "ada"]);
  assert.equal(read("alone").event.to_agent_id, read("researcher").agentId);
}

async function singleDeveloper(servers: LedgerServers): Promise<void> {
  const { tip, outputs, chainIntact, totalSteps } = await python(servers, "single_developer");
  assert.match(tip, /^ctx_/);
  assert.deepEqual(outputs, [
    [1, "collect: done"],
    [2, "summarise: done"],
    [3, "translate: done"],
  ]);
  assert.deepEqual([chainIntact, totalSteps], [true, 3]);
}

async function langGraph(servers: LedgerServers): Promise<void> {
  const read = await python(servers, "langgraph_manual");
  assert.deepEqual(read.roles, ["planner", "market analyst", "writer"]);
  assert.deepEqual(read.events, ["commit", "commit", "merge"]);
  assert.deepEqual([read.chainIntact, read.inTrace], [true, 4]);
  assert.deepEqual(read.last.memory.parents, [read.branches[1]]);
  assert.deepEqual(read.last.output, { output: "heat pumps: growing; heat pumps: few" });
  assert.equal(read.last.input.dm_trace_id, read.trace);
}

async function crew(servers: LedgerServers): Promise<void> {
  const read = await python(servers, "crewai_manual");
  assert.deepEqual([read.chain_intact, read.length], [true, 2]);
  assert.notEqual(read.root_hash, read.tip_hash);
  assert.deepEqual(read.report, [
    ["Senior Research Analyst (EMEA)", "crewai", "Senior Research Analyst (EMEA) is done"],
    ["Writer, née Researcher", "crewai", "Writer, née Researcher is done"],
  ]);
}

async function clientHashes(servers: LedgerServers): Promise<void> {
  const read = await python(servers, "client_hashes");
  const [first, second] = read.ids;
  assert.deepEqual(read.parents, [null, first, second]);
  assert.deepEqual(
    [read.warnings, read.matches],
    [
      [null, null, null],
      [true, true, true],
    ],
  );
  assert.deepEqual([read.sound, read.altered], [null, second]);
  // It hashed "root" as what came before: that is told, and no more.
  assert.deepEqual(read.named, [
    first,
    false,
    ["hash_mismatch: envelope.parent_integrity_hash", "hash_mismatch: integrity_hash"],
  ]);
}

/** Runs a program as an agent of an account of its own; what it printed. */
async function python({ urls, home }: LedgerServers, name: string): Promise<Any> {
  const agent = await call(`${urls[0]}/api/provision`, {
    body: { email: `${name}@example.test`, agentName: name.replaceAll("_", "-") },
    status: 201,
  });
  const { stdout } = await run("python3", ["-B", join(FOLDER, `${name}.py`)], {
    timeout: PROGRAM_MS,
    env: {
      ...home.env,
      DARKMATTER_URL: urls.at(-1),
      DARKMATTER_API_KEY: agent.apiKey,
      DARKMATTER_AGENT_ID: agent.agentId,
    },
  });
  return JSON.parse(stdout);
}
