import type { Json } from "@darkmatter/core";
import { describe, expect, type TestContext, test } from "vitest";
import { chainTamperSuite } from "./server-chain-tamper-suite.ts";
import { chainWorld, readChain, SIGNED_STEP, signLog, tamperServer } from "./server-chain-world.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { type TestServer, testServer } from "./test-server.ts";

type Opened = (context: TestContext) => Promise<TestServer>;

/** Chains as a ledger server verifies and shows them, on every database: run it on yours. */
export function serverChainSuite(name: string, open: OpenServerDatabase): void {
  const opened: Opened = async (context) => testServer({ db: await open(context) });
  describe(`chains: ${name}`, () => {
    readingSuite(opened);
    chainTamperSuite(opened);
    ownerSuite(opened);
  });
}

function readingSuite(opened: Opened): void {
  test("a chain of two agents, one step signed and attested, verifies in every part", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const checkpoint = await signLog(server);
    const verified = await readChain(server, ana, `/api/verify/${tip}`);
    expect(verified).toMatchObject({
      ctx_id: tip,
      chain_intact: true,
      broken_at: null,
      reason: null,
      length: 8,
      lineage_root: ids[0],
      forked: false,
      fork_points: [],
      pruned_steps: 0,
      v2: { chain_intact: true },
      checkpoint: { checkpoint_id: checkpoint?.checkpoint_id, signature_ok: true, covers_tip: true },
    });
    const [plain, signed] = [verified.steps[0], verified.steps[SIGNED_STEP]];
    expect(plain).toEqual({
      id: ids[0],
      payload_ok: true,
      chain_ok: true,
      envelope_ok: true,
      link_ok: true,
      signature: "none",
      in_log: true,
    });
    expect(signed).toMatchObject({ signature: "valid", attestation: "valid", in_log: true });
    expect(await readChain(server, ana, `/api/commits/${ids[SIGNED_STEP]}/signature`)).toMatchObject({
      result: "valid",
      verified: true,
      key_id: "k1",
      attestation_result: "valid",
    });
  });

  test("a replay is in the order of the log, paged, with and without payloads", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const whole = await readChain(server, ana, `/api/replay/${tip}`);
    expect(whole).toMatchObject({
      contextId: tip,
      rootId: ids[0],
      totalSteps: 8,
      chainIntact: true,
      mode: "full",
    });
    expect(whole).not.toHaveProperty("truncated");
    const steps = whole.replay as Record<string, Json>[];
    expect(steps.map(({ id }) => id)).toEqual(ids);
    expect(steps[1]).toMatchObject({
      step: 2,
      short_id: ids[1]?.slice(-8),
      eventType: "commit",
      createdBy: { agent_name: "bo", model: "model-1" },
      targetAgent: "bo",
      integrity: { chainValid: true, verification_status: "valid" },
      payload: { input: "question 1", output: { answer: 1, share: 0.25 } },
      model: "model-1",
      agent_info: { name: "bo", provider: "local", model: "model-1" },
    });
    expect(whole.summary).toEqual({
      agents: ["ana", "bo"],
      models: ["model-0", "model-1", "model-2"],
      eventTypes: ["commit"],
      forkPoints: 0,
      duration: "0s",
    });
    const page = await readChain(server, ana, `/api/replay/${tip}?mode=summary&limit=3&cursor=4`);
    expect(page).toMatchObject({ totalSteps: 8, truncated: true, nextCursor: "7" });
    expect((page.replay as Record<string, Json>[]).map(({ step, payload }) => [step, payload])).toEqual(
      [4, 5, 6].map((step) => [step, undefined]),
    );
    const last = await readChain(server, ana, `/api/replay/${tip}?limit=3&cursor=7`);
    expect(last).toMatchObject({ truncated: true, nextCursor: null });
  });

  test("a lineage has the tip first, bare hashes and no payloads; pull gives what was sent to an agent", async (context) => {
    await using server = await opened(context);
    const { ana, bo, ids, tip } = await chainWorld(server);
    const lineage = await readChain(server, ana, `/api/lineage/${tip}`);
    expect(lineage).toMatchObject({ contextId: tip, depth: 8, rootId: ids[0], integrityVerified: true });
    const chain = lineage.chain as Record<string, Json>[];
    expect(chain.map(({ id, depth }) => [id, depth])).toEqual(ids.toReversed().map((id, at) => [id, at]));
    expect(chain[0]).toMatchObject({
      parentId: ids[6],
      fromAgent: "bo",
      toAgent: "bo",
      verified: true,
      chainValid: true,
    });
    expect(chain[0]?.parentHash).toBe(chain[1]?.integrityHash);
    expect(chain[0]?.integrityHash).toMatch(/^[0-9a-f]{64}$/);
    expect(chain.at(-1)?.parentHash).toBeNull();
    expect(JSON.stringify(lineage)).not.toContain("question");

    const sent = await server.commit(ana, { payload: { n: 1.5 }, toAgentId: bo.id });
    const pulled = await readChain(server, bo, "/api/pull?limit=2");
    expect(pulled).toMatchObject({
      agentId: bo.id,
      agentName: "bo",
      count: 2,
      nextCursor: expect.any(String),
    });
    expect((pulled.contexts as { id: string }[]).map(({ id }) => id)).toEqual([sent.id, ids[7]]);
    const rest = await readChain(server, bo, `/api/pull?cursor=${String(pulled.nextCursor)}`);
    expect((rest.contexts as { id: string }[]).map(({ id }) => id)).toEqual([ids[5], ids[3], ids[1]]);
    expect(rest).not.toHaveProperty("nextCursor");
    expect(await readChain(server, bo, "/api/pull?since=2030-01-01T00:00:00Z")).toMatchObject({ count: 0 });
  });

  test("a fork is told by whoever reads its chain, and compared from its common ancestor on", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    const body = { fromCtxId: ids[3], payload: { output: "otherwise" }, agent: { model: "small" } };
    const forked = await server.call({ path: `/api/fork/${tip}`, body }, ana);
    const fork = (forked.json as { id: string }).id;
    expect(await readChain(server, ana, `/api/verify/${fork}`)).toMatchObject({
      chain_intact: true,
      length: 5,
      forked: true,
      fork_points: [fork],
    });
    const replay = await readChain(server, ana, `/api/replay/${fork}`);
    expect((replay.replay as Json[]).at(-1)).toMatchObject({
      fork_of: tip,
      fork_point: ids[3],
      eventType: "fork",
    });

    const diff = await readChain(server, ana, `/api/diff/${tip}/${fork}`);
    expect(diff).toMatchObject({
      ctxIdA: tip,
      ctxIdB: fork,
      lengthA: 8,
      lengthB: 5,
      totalSteps: 8,
      changedSteps: 4,
      unchangedSteps: 4,
      identical: false,
      commonAncestor: ids[3],
      summary: { modelsA: ["model-0", "model-1", "model-2"], payloadChanges: 1, modelChanges: 1 },
    });
    expect(diff.steps[4]).toMatchObject({
      step: 5,
      a: { id: ids[4], model: "model-1", payload: { input: "question 4" } },
      b: { id: fork, model: "small", eventType: "fork" },
      diff: {
        payloadChanged: true,
        modelChanged: true,
        providerChanged: true,
        onlyInA: false,
        onlyInB: false,
      },
    });
    expect(diff.steps[7]).toMatchObject({ b: null, diff: { onlyInA: true, payloadChanged: false } });
    expect((diff.chainA as Json[]).length).toBe(8);
    expect((diff.diffs as Json[])[0]).toMatchObject({ step: 5, modelB: "small", outputB: "otherwise" });
    expect(await readChain(server, ana, `/api/diff?a=${tip}&b=${fork}`)).toEqual(diff);
    expect(await readChain(server, ana, `/api/diff/${tip}/${tip}`)).toMatchObject({
      identical: true,
      changedSteps: 0,
      diffs: [],
    });
  });

  test("a pruned step is counted as pruned, and the chain goes on through it", async (context) => {
    await using server = await opened(context);
    const { ana, ids, tip } = await chainWorld(server);
    await tamperServer(server, "ledger_payloads", "DELETE FROM ledger_payloads WHERE position = 2");
    await server.db.write((tx) =>
      tx.run("INSERT INTO ledger_pruned (position, pruned_ms) VALUES (2, ?)", server.clock.now()),
    );
    const verified = await readChain(server, ana, `/api/verify/${tip}`);
    expect(verified).toMatchObject({ chain_intact: true, pruned_steps: 1, length: 8 });
    expect(verified.steps[2]).toMatchObject({ id: ids[2], payload_ok: null, chain_ok: true, pruned: true });
    const { replay } = await readChain(server, ana, `/api/replay/${tip}`);
    expect((replay as Json[])[2]).toMatchObject({
      payload: null,
      payload_pruned_at: "2026-11-21T10:00:00.000Z",
      integrity: { verification_status: "unverified", chainValid: true },
    });
  });

  test("what an agent keeps its payloads for is told of each commit", async (context) => {
    await using server = await opened(context);
    const { ana, ids } = await chainWorld(server);
    expect(await readChain(server, ana, `/api/retention/${ids[0]}`)).toEqual({
      ctxId: ids[0],
      retentionDays: null,
      createdAt: "2026-11-21T10:00:00.000Z",
      expiresAt: null,
      daysRemaining: null,
      isExpired: false,
    });
    await server.db.write((tx) =>
      tx.run("UPDATE ledger_agents SET retention_days = 30 WHERE id = ?", ana.id),
    );
    expect(await readChain(server, ana, `/api/retention/${ids[0]}`)).toMatchObject({
      retentionDays: 30,
      expiresAt: "2026-12-21T10:00:00.000Z",
      daysRemaining: 30,
      isExpired: false,
    });
  });
}

function ownerSuite(opened: Opened): void {
  test("an id of another account is answered as one that nobody has", async (context) => {
    await using server = await opened(context);
    const { tip, ana } = await chainWorld(server);
    const eve = await server.account("eve");
    const own = await server.commit(eve, { payload: {} });
    const unknown = "ctx_1_000000000000";
    for (const path of [
      ...["replay", "verify", "lineage", "export", "bundle", "retention"].map((what) => `/api/${what}/{id}`),
      "/api/commits/{id}/signature",
      `/api/diff/{id}/${own.id}`,
      `/api/diff/${own.id}/{id}`,
      `/api/diff?a=${own.id}&b={id}`,
    ]) {
      const [foreign, none] = await Promise.all(
        [tip, unknown].map((id) => server.call({ path: path.replace("{id}", id) }, eve)),
      );
      expect([path, foreign?.status, foreign?.text]).toEqual([path, 404, none?.text]);
      const without = await server.call({ path: path.replace("{id}", tip) });
      expect([path, without.status]).toEqual([path, 401]);
    }
    expect((await server.call({ path: "/api/pull" }, eve)).text).not.toContain(ana.id);
  });

  test("a person verifies and exports what their agents did, and nothing of others", async (context) => {
    await using server = await opened(context);
    const { tip } = await chainWorld(server);
    const body = { email: "max@example.test", password: "a-long-password" };
    const { json } = await server.call({ path: "/auth/signup", body });
    const { session } = json as { session: { access_token: string } };
    const headers = { authorization: `Bearer ${session.access_token}` };
    const made = await server.call({ path: "/dashboard/agents", body: { agentName: "max" }, headers });
    const { apiKey } = made.json as { apiKey: string };
    const committed = await server.call({
      path: "/api/commit",
      body: { payload: { n: 1 } },
      headers: { authorization: `Bearer ${apiKey}` },
    });
    const { id } = committed.json as { id: string };
    for (const what of ["verify", "export"]) {
      const [own, foreign, unknown] = await Promise.all(
        [id, tip, "ctx_1_000000000000"].map((one) => server.call({ path: `/api/${what}/${one}`, headers })),
      );
      expect([what, own?.status, foreign?.status]).toEqual([what, 200, 404]);
      expect(foreign?.text).toBe(unknown?.text);
    }
    const replayed = await server.call({ path: `/api/replay/${id}`, headers });
    expect(replayed.status).toBe(401);
  });
}
