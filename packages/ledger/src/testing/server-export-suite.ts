import { canon1OfText, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { bare, checkpointText, spkiPem, verifyBundle, witnessId } from "@darkmatter/proof";
import { testKey } from "@darkmatter/proof/testing";
import type { SqlValue } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { insertWitnessSignature } from "../checkpoints/checkpoints.store.ts";
import { createServerLog } from "../server/log/server-log.ts";
import { chainWorld, SIGNED_STEP, tamperServer } from "./server-chain-world.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { vectors } from "./server-commit-suite.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

type Opened = (context: TestContext) => Promise<TestServer>;

/** The step at position 2. */
const THIRD = 2;

/** Exports, bundles and the demo of a ledger server, on every database: run it on yours. */
export function serverExportSuite(name: string, open: OpenServerDatabase): void {
  const opened: Opened = async (context) => testServer({ db: await open(context) });
  describe(`exports: ${name}`, () => {
    exportSuite(opened);
    unreadableSuite(open);
    bundleSuite(opened);
    demoSuite(opened, open);
  });
}

export const { verify } = createVerifier({ threads: "never" });

export async function exportText(server: TestServer, by: TestAgent, id: string): Promise<string> {
  const { status, text } = await server.call({ path: `/api/export/${id}` }, by);
  expect([status, text.slice(0, 1)]).toEqual([200, "{"]);
  return text;
}

type Step = Record<string, Json> & { readonly _proof: JsonObject };
type Exported = Record<"metadata" | "integrity" | "server_pubkey", JsonObject> & {
  readonly chain: readonly JsonObject[];
  readonly commits: readonly Step[];
  readonly checkpoint: JsonObject | null;
};

function exportSuite(opened: Opened): void {
  test("an export is canonical, says what section 3 of docs/proof.md wants, and verifies", async (context) => {
    await using server = await opened(context);
    const { ana, bo, ids, tip } = await chainWorld(server);
    const answer = await server.call({ path: `/api/export/${tip}` }, ana);
    const { text } = answer;
    expect(answer.headers["content-disposition"]).toBe(
      `attachment; filename="darkmatter_ctx_${tip.slice(-8)}.json"`,
    );
    expect(canon1OfText(text)).toBe(text);
    const report = await verifyBundle(text, verify);
    expect([report.verdict, ...report.phases.filter(({ status }) => status === "fail")]).toEqual([
      "verified",
    ]);
    const passed = report.phases.flatMap(({ phase, status, checked }) =>
      status === "pass" ? [[phase, checked]] : [],
    );
    expect(passed).toEqual([
      ["format", 8],
      ["export_hash", 1],
      ["payloads", 8],
      ["chain", 8],
      ["envelopes", 8],
      ["agent_signatures", 1],
      ["attestations", 1],
      ["leaves", 8],
      ["inclusion", 8],
      ["checkpoint", 1],
      ["assurance", 8],
    ]);
    expect(report.notProven).toContainEqual(
      expect.stringMatching(/^nobody vouches for chain: .*trace_id, branch_key/),
    );
    const { metadata, integrity, checkpoint, commits, chain, server_pubkey } =
      answer.json as unknown as Exported;
    expect(metadata).toMatchObject({
      ctx_id: tip,
      lineage_root: ids[0],
      chain_length: 8,
      trace_id: "trc_team",
      exported_by: ana.id,
    });
    expect(integrity).toMatchObject({
      chain_intact: true,
      timestamp_range: { from: "2026-11-21T10:00:00Z" },
    });
    // Nothing covered the tip before it was asked for.
    expect(checkpoint).toMatchObject({ tree_size: 8, witness_count: 0, witness_signatures: [] });
    expect(server_pubkey).toMatchObject({ algorithm: "Ed25519", use: "checkpoint" });
    const signed = commits[SIGNED_STEP];
    expect(signed).toMatchObject({
      agent_id: bo.id,
      key_id: "k1",
      timestamp: "2026-11-21T09:59:59Z",
      agent_signature: expect.stringMatching(/^[0-9a-f]{128}$/),
      agent_public_key: expect.stringContaining("BEGIN PUBLIC KEY"),
      client_attestation: { key_id: "c1" },
      metadata: { session: "s-1" },
      assurance_level: "L3",
      assurance: { chain: true, checkpointed: true, witnessed: false, client_signed: true },
      _proof: {
        log_position: 3,
        tree_size: 4,
        proof_status: "checkpointed",
        client_timestamp: "2026-11-21T09:59:59Z",
      },
    });
    expect(signed).not.toHaveProperty("client_envelope");
    expect(chain[0]).not.toHaveProperty("agent_id");
    expect(commits[0]).not.toHaveProperty("agent_signature");
  });

  test("a witnessed checkpoint goes with the export, and makes its steps L2", async (context) => {
    await using server = await opened(context);
    const { ana, tip } = await chainWorld(server);
    const checkpoint = await createServerLog(server.ports).checkpointNow();
    if (!checkpoint) throw new TypeError("no checkpoint");
    const witness = testKey("witness");
    await server.db.write((tx) =>
      insertWitnessSignature(tx, checkpoint.tree_size, {
        witnessId: witnessId(witness.id),
        agentId: witness.id,
        name: "a witness",
        signature: witness.sign(checkpointText(checkpoint)),
        witnessedAt: "2026-11-21T10:00:00.000Z",
      }),
    );
    const text = await exportText(server, ana, tip);
    const report = await verifyBundle(text, verify);
    expect(report.verdict).toBe("verified");
    expect(report.phases.find(({ phase }) => phase === "witnesses")).toMatchObject({
      status: "pass",
      checked: 1,
    });
    const { commits } = JSON.parse(text) as Exported;
    expect(commits.map(({ assurance_level }) => assurance_level)).toEqual(
      commits.map((_, at) => (at === SIGNED_STEP ? "L3" : "L2")),
    );
    expect(commits[0]?._proof.proof_status).toBe("checkpointed_witnessed");
    const pulled = await server.call({ path: "/api/pull?limit=1" }, ana);
    expect(pulled.json).toMatchObject({
      contexts: [{ assurance_level: "L2", assurance: { witnessed: true } }],
    });
  });

  test("what an agent signed over another envelope is shown as such, not as its signature of the commit", async (context) => {
    await using server = await opened(context);
    const { ana } = await chainWorld(server);
    const envelope = {
      schema_version: "2",
      agent_id: "unknown",
      key_id: "default",
      timestamp: "2026-11-21T10:00:00Z",
    };
    const key = testKey("ana");
    const commit = await server.commit(ana, {
      payload: { n: 1 },
      envelope,
      agent_signature: key.sign(canon1OfText(JSON.stringify(envelope))),
      agent_public_key: spkiPem(key.id),
    });
    expect(commit.integrity_v2).toMatchObject({ signature_status: "envelope_mismatch" });
    const text = await exportText(server, ana, commit.id);
    const { commits } = JSON.parse(text) as Exported;
    expect(commits[0]?.client_envelope).toEqual(envelope);
    expect(commits[0]).not.toHaveProperty("agent_signature");
    expect((await verifyBundle(text, verify)).verdict).toBe("verified");
  });

  test("a chain with a pruned payload is exported and verifies as pruned", async (context) => {
    await using server = await opened(context);
    const { ana, tip } = await chainWorld(server);
    await tamperServer(server, "ledger_payloads", "DELETE FROM ledger_payloads WHERE position = 2");
    await server.db.write((tx) =>
      tx.run("INSERT INTO ledger_pruned (position, pruned_ms) VALUES (2, 1795255200000)"),
    );
    const report = await verifyBundle(await exportText(server, ana, tip), verify);
    expect(report.verdict).toBe("verified");
    expect(report.phases.find(({ phase }) => phase === "payloads")).toMatchObject({
      detail: "7 payloads, 1 pruned",
    });
  });

  test("a chain that does not hold says so in its export, and no verifier takes it", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const change = "UPDATE ledger_payloads SET payload = ? WHERE position = 2";
    await tamperServer(server, "ledger_payloads", change, '{"output":"altered"}');
    const text = await exportText(server, ana, tip);
    expect((JSON.parse(text) as Exported).integrity.chain_intact).toBe(false);
    expect((await verifyBundle(text, verify)).verdict).toBe("failed");
    const lie = text.replace('"chain_intact":false', '"chain_intact":true');
    const { phases } = await verifyBundle(lie, verify);
    expect(phases.find(({ phase }) => phase === "payloads")).toMatchObject({
      status: "fail",
      failing: ids[2],
    });
  });

  test("what a client sent and is no JSON any more takes no answer along", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const row = await server.db.get<{ was: string }>(
      `SELECT claims AS was FROM ledger_commits WHERE position = ${SIGNED_STEP}`,
    );
    const claims = JSON.stringify({
      ...JSON.parse(row?.was ?? ""),
      metadata: "{",
      attestation: "]",
      envelope: '"',
    });
    const change = `UPDATE ledger_commits SET claims = ? WHERE position = ${SIGNED_STEP}`;
    await tamperServer(server, "ledger_commits", change, claims);
    const text = await exportText(server, ana, tip);
    expect((JSON.parse(text) as Exported).integrity.chain_intact).toBe(false);
    expect((await verifyBundle(text, verify)).verdict).toBe("failed");
    const { status, json } = await server.call({ path: `/api/commits/${ids[SIGNED_STEP]}/signature` }, ana);
    const found = {
      client_envelope: null,
      client_attestation: null,
      attestation_result: "invalid_signature",
    };
    expect([status, json]).toMatchObject([200, { result: "invalid", ...found }]);
  });

  test("two exports of one chain have one chain_hash and ids of their own", async (context) => {
    await using server = await opened(context);
    const { ana, tip } = await chainWorld(server);
    const [one, other] = [await exportText(server, ana, tip), await exportText(server, ana, tip)].map(
      (text) => JSON.parse(text) as Exported & { readonly export_hash: string },
    );
    expect(one?.integrity.chain_hash).toBe(other?.integrity.chain_hash);
    expect(one?.metadata.export_id).not.toBe(other?.metadata.export_id);
    expect(one?.export_hash).not.toBe(other?.export_hash);
    const { root_hash, tip_hash, chain_hash } = one?.integrity ?? {};
    const stable = {
      chain_ids: one?.chain.map(({ id }) => id),
      chain_length: 8,
      ctx_id: tip,
      lineage_root: one?.metadata.lineage_root,
      root_hash,
      tip_hash,
    };
    expect(chain_hash).toBe(`sha256:${sha256Hex(canon1OfText(JSON.stringify(stable)))}`);
    expect(
      vectors("export_chain_hash").cases.map(({ stable }: { stable: object }) =>
        Object.keys(stable).sort(),
      )[0],
    ).toEqual(Object.keys(stable).sort());
  });
}

function unreadableSuite(open: OpenServerDatabase): void {
  /** A chain's files are asked for; what was answered, and what the operator was told. */
  async function refused(context: TestContext, column: string, value: SqlValue) {
    const reports: unknown[] = [];
    const report = (...said: unknown[]) => reports.push(said);
    await using server = await testServer({ db: await open(context), ports: { report } });
    const { ana, ids, tip } = await chainWorld(server);
    const change = `UPDATE ledger_commits SET ${column} = ? WHERE position = ${THIRD}`;
    await tamperServer(server, "ledger_commits", change, value);
    const before = await server.call({ path: `/api/export/${ids[THIRD - 1]}` }, ana);
    const files = [`/api/export/${tip}`, `/api/bundle/${tip}`, `/api/verify/${tip}`];
    const answers = await Promise.all(files.map((path) => server.call({ path }, ana)));
    return { ids, before, answers, reports };
  }

  test("a chain with a step that cannot be read is given out by no file, which says which step it is", async (context) => {
    const { ids, before, answers, reports } = await refused(context, "claims", "{");
    const [exported, bundled, verified] = answers;
    const error = `Step 3 of this chain (${ids[THIRD]}) can no longer be read.`;
    const hint = expect.stringContaining("GET /api/verify");
    for (const answer of [exported, bundled])
      expect([answer?.status, answer?.json]).toEqual([409, { code: "chain_unreadable", error, hint }]);
    expect(verified?.json).toMatchObject({ chain_intact: false, broken_at: ids[THIRD] });
    const told = ["export.unreadable", { position: THIRD, reason: "the commit can no longer be read" }];
    expect(reports).toEqual([told, told]);
    expect((await verifyBundle(before.text, verify)).verdict).toBe("verified");
  });

  test("an export whose proofs the log has lost is none", async (context) => {
    const { ids, answers, reports } = await refused(context, "leaf", new Uint8Array(0));
    const [exported, bundled] = answers;
    const error = `Step 3 of this chain (${ids[THIRD]}) is no longer proven by the log.`;
    expect([exported?.status, exported?.json]).toMatchObject([409, { code: "chain_unreadable", error }]);
    expect(reports).toEqual([["export.unreadable", expect.objectContaining({ position: THIRD })]]);
    // What no proof goes into is whole, and says what does not hold.
    expect(bundled?.json).toMatchObject({ verification: { chainIntact: false }, chain: { length: 8 } });
  });
}

function bundleSuite(opened: Opened): void {
  test("a bundle can be recomputed with nothing but SHA-256", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const { json, status } = await server.call({ path: `/api/bundle/${tip}` }, ana);
    expect(status).toBe(200);
    const { metadata, verification, chain } = json as unknown as {
      metadata: JsonObject;
      verification: JsonObject & { steps: Record<string, string>[] };
      chain: (JsonObject & { id: string })[];
    };
    expect(metadata).toMatchObject({
      ctxId: tip,
      rootId: ids[0],
      chainLength: 8,
      agents: ["ana", "bo"],
      models: ["model-0", "model-1", "model-2"],
      forkPoints: 0,
      dateRange: { from: "2026-11-21T10:00:00Z", to: "2026-11-21T10:00:00Z" },
    });
    expect(chain.map(({ id, step }) => [id, step])).toEqual(ids.map((id, at) => [id, at + 1]));
    let parent = "root";
    const hashes = verification.steps.map(({ payload_hash, integrity_hash, chainValid }) => {
      const hash = sha256Hex((bare(payload_hash ?? "") ?? "") + parent);
      expect([integrity_hash, chainValid]).toEqual([`sha256:${hash}`, true]);
      parent = hash;
      return hash;
    });
    expect(verification).toMatchObject({
      chainIntact: true,
      chainHash: `sha256:${sha256Hex(hashes.join(""))}`,
      tipHash: `sha256:${parent}`,
    });
    expect(chain[1]).toMatchObject({ is_fork: false, fork_of: null, payload: { input: "question 1" } });
  });
}

function demoSuite(opened: Opened, open: OpenServerDatabase): void {
  test("anybody may look at the demo: five steps, one a fork, whose hashes hold", async (context) => {
    await using server = await opened(context);
    const { json, status } = await server.call({ path: "/api/demo" });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      isDemo: true,
      chainIntact: true,
      totalSteps: 5,
      summary: { forkPoints: 1 },
    });
    const { replay } = json as { replay: Record<string, Json>[] };
    expect(replay.map(({ eventType, model }) => [eventType, model])).toEqual([
      ["commit", "claude-sonnet-4-5"],
      ["commit", "gpt-4o"],
      ["fork", "gpt-4o-mini"],
      ["commit", "gpt-4o-mini"],
      ["checkpoint", "claude-sonnet-4-5"],
    ]);
    expect(replay[2]).toMatchObject({ fork_of: replay[1]?.id, fork_point: replay[1]?.id });
  });

  test("the demo is made once, however many servers begin at once and again; its account is nobody's", async (context) => {
    const db = await open(context);
    await using server = await testServer({ db });
    const makers = server.server.jobs.filter(({ name }) => name === "ledger.demo");
    await Promise.all([...makers, ...makers, ...makers].map(({ run }) => run()));
    await Promise.all([1, 2, 3].map(() => server.call({ path: "/api/demo" })));
    expect(await db.get("SELECT count(*) AS n FROM ledger_commits")).toEqual({ n: 5 });
    expect(makers.length).toBe(1);
    const account = await db.get<{ password: string | null }>(
      "SELECT password FROM ledger_accounts WHERE email = 'demo'",
    );
    expect(account).toEqual({ password: null });
    for (const path of ["/auth/login", "/auth/signup", "/api/provision"]) {
      const { status } = await server.call({ path, body: { email: "demo", password: "a-long-password" } });
      expect([path, status]).toEqual([path, 400]);
    }
  });
}
