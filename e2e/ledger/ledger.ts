import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Checks } from "../checks.ts";
import { pythonMissing } from "../mutations/python-verifier.ts";
import { runProgram } from "../run-program.ts";
import { VERIFIER } from "../stranger/opinion.ts";
import { createWorld, freePorts, type Home, type World } from "../world.ts";
import { type Any, call, curl, curlMissing } from "./calls.ts";
import { checkMirror } from "./mirror.ts";
import { runPrograms } from "./programs.ts";
import { ADMIN, ended, firstLineOf, type LedgerServers, startLedger } from "./servers.ts";
import { tamper } from "./tampering.ts";

const START_MS = 60_000;
const COMMITS = 5;
const HEAVY_MS = 40_000;

/** What the story has come to so far. */
interface Story {
  readonly world: World;
  readonly servers: LedgerServers;
  readonly commits: Any[];
  session: string;
  key: string;
  agentId: string;
  fork: Any;
  share: Any;
  exported: string;
}

/** A team's ledger from its first sign-up to an auditor, on SQLite and on PostgreSQL with two processes. */
export async function runLedger(checks: Checks): Promise<void> {
  const missing = curlMissing();
  if (missing !== undefined) return checks.skip("ledger", missing);
  for (const engine of ["sqlite", "postgres"] as const) {
    await using world = createWorld();
    await using stack = new AsyncDisposableStack();
    let started: LedgerServers | { readonly missing: string } | undefined;
    await checks.check(
      `ledger ${engine}: starts`,
      async () => {
        started = await startLedger(world, engine);
        if (!("missing" in started)) stack.use(started);
      },
      START_MS,
    );
    if (!started) continue;
    if ("missing" in started) {
      checks.skip(`ledger ${engine}`, started.missing);
      continue;
    }
    await runPrograms(checks, started);
    await tell(checks, {
      world,
      servers: started,
      commits: [],
      session: "",
      key: "",
      agentId: "",
      fork: undefined,
      share: undefined,
      exported: "",
    });
  }
}

async function tell(checks: Checks, story: Story): Promise<void> {
  const { engine } = story.servers;
  for (const [name, chapter] of Object.entries(CHAPTERS)) {
    await checks.check(`ledger ${engine}: ${name}`, () => chapter(story), HEAVY_MS);
  }
}

/** The process that is asked: each request goes to the next one. */
function url({ servers }: Story, turn: number): string {
  return servers.urls[turn % servers.urls.length] ?? "";
}

const tipOf = ({ commits }: Story): Any => commits.at(-1);

const CHAPTERS: Readonly<Record<string, (story: Story) => Promise<void>>> = {
  "sign-up and an agent": async (story) => {
    const body = { email: "ada@example.test", password: "correct horse battery" };
    const { session } = await call(`${url(story, 0)}/auth/signup`, { body });
    story.session = session.access_token;
    const agent = await call(`${url(story, 1)}/dashboard/agents`, {
      bearer: story.session,
      body: { agentName: "researcher" },
    });
    assert.match(agent.apiKey, /^dm_sk_[0-9a-f]{48}$/);
    story.key = agent.apiKey;
    story.agentId = agent.agentId;
    const me = await call(`${url(story, 0)}/api/me`, { bearer: story.key });
    assert.equal(me.agentId, agent.agentId);
  },

  "five commits by curl": async (story) => {
    for (let step = 1; step <= COMMITS; step++) {
      const commit = await curl(`${url(story, step)}/api/commit`, story.key, {
        toAgentId: story.agentId,
        payload: { input: `step ${step}`, output: `step ${step} of five, done`, score: step / 10 },
        agent: { role: "researcher", provider: "anthropic", model: step === 4 ? "opus" : "sonnet" },
        parentId: tipOf(story)?.id ?? null,
        traceId: "trc_five",
      });
      assert.equal(commit.integrity.verification_status, "valid");
      assert.equal(commit._proof.tree_size, commit._proof.log_position + 1);
      story.commits.push(commit);
    }
  },

  "replay, from every process": async (story) => {
    for (const base of story.servers.urls) {
      const replay = await call(`${base}/api/replay/${tipOf(story).id}`, { bearer: story.key });
      assert.deepEqual(
        [replay.totalSteps, replay.chainIntact, replay.replay.map((step: Any) => step.id)],
        [COMMITS, true, story.commits.map(({ id }) => id)],
      );
      assert.equal(replay.replay[2].payload.output, "step 3 of five, done");
    }
  },

  "fork and diff": async (story) => {
    const fork = await call(`${url(story, 1)}/api/fork/${tipOf(story).id}`, {
      bearer: story.key,
      body: { fromCtxId: story.commits[1].id, branchKey: "other", agent: { model: "haiku" } },
    });
    assert.equal(fork.fork_point, story.commits[1].id);
    story.fork = fork;
    const diff = await call(`${url(story, 0)}/api/diff?a=${tipOf(story).id}&b=${fork.id}`, {
      bearer: story.key,
    });
    assert.deepEqual(
      [diff.lengthA, diff.lengthB, diff.unchangedSteps, diff.commonAncestor, diff.identical],
      [COMMITS, 3, 2, story.commits[1].id, false],
    );
  },

  search: async (story) => {
    const found = await call(`${url(story, 1)}/api/search?q=${encodeURIComponent("STEP 3 of")}`, {
      bearer: story.key,
    });
    assert.deepEqual([found.total, found.results.map((one: Any) => one.id)], [1, [story.commits[2].id]]);
    const byModel = await call(`${url(story, 0)}/api/search?model=opus`, { bearer: story.key });
    assert.equal(byModel.total, 1);
  },

  "verify, and nothing for a stranger": async (story) => {
    const verdict = await call(`${url(story, 0)}/api/verify/${tipOf(story).id}`, { bearer: story.key });
    assert.deepEqual([verdict.chain_intact, verdict.broken_at, verdict.length], [true, null, COMMITS]);
    const stranger = await call(`${url(story, 1)}/api/provision`, {
      body: { email: "eve@example.test", agentName: "eve" },
      status: 201,
    });
    for (const path of ["verify", "replay", "export", "lineage"]) {
      const [theirs, unknown] = await Promise.all(
        [tipOf(story).id, "ctx_1795255200000_0123456789ab"].map((id) =>
          call(`${url(story, 0)}/api/${path}/${id}`, { bearer: stranger.apiKey, status: 404 }),
        ),
      );
      assert.deepEqual(theirs, unknown);
    }
  },

  "a witness signs": async (story) => {
    const [port = 0] = await freePorts(1);
    const home = story.world.home(`witness-${story.servers.engine}`, port);
    const { public_key } = await call(`${url(story, 0)}/api/log/pubkey`);
    const keyFile = join(home.project, "log.pem");
    writeFileSync(keyFile, public_key);
    const child = story.world.start(home, [
      ...["serve", "witness", "--log-url", url(story, 0), "--log-key", keyFile],
      ...["--port", String(port), "--json"],
    ]);
    try {
      const witness = await firstLineOf(child);
      await call(`${url(story, 1)}/api/admin/witnesses`, {
        bearer: ADMIN,
        body: { name: "notary", publicKey: witness.public_key, endpointUrl: `${witness.url}/witness` },
      });
      const { checkpoint } = await call(`${url(story, 1)}/api/log/checkpoint`, {
        bearer: ADMIN,
        method: "POST",
      });
      const signed = await untilWitnessed(story, checkpoint.checkpoint_id);
      assert.deepEqual(
        [signed.witness_count, signed.witnesses[0].name, signed.witnesses[0].sig_valid],
        [1, "notary", true],
      );
    } finally {
      await ended(child);
    }
  },

  "export, and both verifiers offline": async (story) => {
    const bundle = await call(`${url(story, 1)}/api/export/${tipOf(story).id}`, { bearer: story.key });
    assert.equal(bundle.checkpoint.witness_count, 1);
    assert.equal(bundle.chain.length, COMMITS);
    story.exported = join(story.servers.home.project, "export.json");
    writeFileSync(story.exported, JSON.stringify(bundle));
    const { code, json } = await story.world.command(story.servers.home, "verify", story.exported);
    assert.deepEqual([code, json.verdict], [0, "verified"], JSON.stringify(json));
    assert.equal(await pythonStatus(story.exported), 0);
    const forged = join(story.servers.home.project, "forged.json");
    writeFileSync(forged, JSON.stringify(bundle).replace("step 3 of five", "step 4 of five"));
    assert.equal((await story.world.command(story.servers.home, "verify", forged)).code, 1);
    assert.equal(await pythonStatus(forged), pythonMissing() === undefined ? 1 : 0);
  },

  "share, of the chain as it is": async (story) => {
    const share = await call(`${url(story, 0)}/api/share/${story.commits[2].id}`, {
      bearer: story.key,
      body: { label: "the first three" },
    });
    story.share = share;
    const chain = await call(`${url(story, 1)}/api/chain/${share.shareId}`);
    assert.deepEqual(
      [chain.totalSteps, chain.chainIntact, chain.replay.map((step: Any) => step.id)],
      [3, true, story.commits.slice(0, 3).map(({ id }) => id)],
    );
    await call(`${url(story, 0)}/r/${tipOf(story).id}?format=json`, { status: 404 });
    const page = await fetch(`${url(story, 1)}/r/${story.commits[2].id}`);
    assert.equal(page.status, 200);
  },

  "init, and another agent of the account beside it": async (story) => {
    const [first, second] = ["first", "second"].map((name) =>
      story.world.home(`${story.servers.engine}-${name}`, 0),
    ) as [Home, Home];
    const email = ["--host", url(story, 1), "--email", "first@example.test"];
    const made = await story.world.command(first, "init", ...email, "--agent", "first", "--no-test");
    assert.equal(made.code, 0, made.stderr);
    const beside = await story.world.command(second, "init", "--beside", first.project, "--agent", "second");
    assert.deepEqual([beside.code, beside.json.test.ok], [0, true], beside.stderr);
    // What one commits the other reads: an account of its own would not.
    const { json: read } = await story.world.command(first, "verify", beside.json.test.commit, "--server");
    assert.equal(read.chain_intact, true);
  },

  "a node mirrors its log": async (story) =>
    checkMirror(story.world, url(story, 1), story.key, story.servers.engine),

  "restart, with nothing lost": async (story) => {
    await story.servers.stop();
    await story.servers.start();
    const replay = await call(`${url(story, 1)}/api/replay/${tipOf(story).id}`, { bearer: story.key });
    assert.equal(replay.totalSteps, COMMITS);
    const { checkpoints } = await call(`${url(story, 0)}/api/log/checkpoints?limit=10`);
    assert.equal(checkpoints[0].previous_cp_id, checkpoints[1]?.checkpoint_id ?? null);
    const { consistent } = await call(`${url(story, 0)}/api/log/consistency?from=first&to=latest`);
    assert.equal(consistent, true);
    const next = await curl(`${url(story, 0)}/api/commit`, story.key, {
      payload: { output: "after the restart" },
      parentId: tipOf(story).id,
    });
    assert.equal(next.integrity.parent_hash, tipOf(story).integrity.integrity_hash);
  },

  "one byte changed in the database": async (story) => {
    await story.servers.stop();
    await tamper(story.servers, story.commits[2].id);
    await story.servers.start();
    const verdict = await call(`${url(story, 1)}/api/verify/${tipOf(story).id}`, { bearer: story.key });
    assert.deepEqual([verdict.chain_intact, verdict.broken_at], [false, story.commits[2].id]);
    const chain = await call(`${url(story, 0)}/api/chain/${story.share.shareId}`);
    assert.equal(chain.chainIntact, false);
    // What was exported before needs the server no more.
    const { code } = await story.world.command(story.servers.home, "verify", story.exported);
    assert.equal(code, 0);
  },
};

async function untilWitnessed(story: Story, checkpointId: string): Promise<Any> {
  const path = `/api/log/checkpoint/${checkpointId}/witnesses`;
  for (let tries = 0; ; tries++) {
    const signed = await call(url(story, tries) + path);
    if (signed.witness_count > 0 || tries > 100) return signed;
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** What the second verifier says by its exit code; 0 where Python cannot be asked. */
async function pythonStatus(file: string): Promise<number | null> {
  if (pythonMissing() !== undefined) return 0;
  return (await runProgram("python3", [VERIFIER, file], { timeoutMs: HEAVY_MS })).status;
}
