import { describe, expect, type TestContext, test } from "vitest";
import { countRejections } from "../server/commits/rejections.store.ts";
import { tamperServer } from "./server-chain-world.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { expectSoundLog } from "./server-log-checks.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

/** What forking is on every database: run it on yours. */
export function serverForkSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });
  describe(`POST /api/fork: ${name}`, () => {
    forkSuite(opened);
  });
}

const fork = (server: TestServer, by: TestAgent, id: string, body: object | string = {}) =>
  server.call({ method: "POST", path: `/api/fork/${id}`, body }, by);

/** A chain of so many steps; ids, root first. */
export async function chainOf(server: TestServer, by: TestAgent, steps: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < steps; n++) {
    const { id } = await server.commit(by, {
      payload: { n },
      parentId: ids.at(-1) ?? null,
      traceId: "trc_1",
    });
    ids.push(id);
  }
  return ids;
}

function forkSuite(opened: (context: TestContext) => Promise<TestServer>): void {
  test("a fork is a commit on a branch of its own; the chain stays as it is", async (context) => {
    await using server = await opened(context);
    const ana = await server.account("ana");
    const [root = "", middle = "", tip = ""] = await chainOf(server, ana, 3);
    const bare = await fork(server, ana, tip, "");
    expect([bare.status, bare.json]).toMatchObject([
      200,
      {
        fork_of: tip,
        fork_point: tip,
        parent_id: tip,
        lineage_root: root,
        lineage: { fork_of: tip, fork_point: tip, lineage_root: root },
        is_root_fork: false,
        source_chain_intact: true,
        branch_key: expect.stringMatching(/^fork-[0-9a-f]{6}$/),
        trace_id: null,
        event: { type: "fork", to_agent_id: ana.id },
        payload: {
          input: `Fork from ${tip}`,
          output: null,
          memory: { forked_from: tip, lineage_root: root, is_root_fork: false, source_intact: true },
        },
        integrity: { verification_status: "valid" },
        message: expect.any(String),
        _proof: { log_position: 3 },
      },
    ]);
    expect(bare.json).not.toHaveProperty("warning");

    const bo = await server.agentOf(ana.account, "bo");
    const wishes = {
      branchKey: "cheaper",
      toAgentId: "bo",
      payload: { other: 1 },
      agent: { role: "writer" },
      suggestedModel: "gpt-4o-mini",
      traceId: "trc_2",
    };
    const points = [{ fromCheckpoint: root }, { fromCtxId: middle }, { fromStep: 1 }, { fromStep: 3 }];
    const answers = [];
    for (const from of points) answers.push((await fork(server, ana, tip, { ...wishes, ...from })).json);
    expect(answers.map((answered) => (answered as { fork_point: string }).fork_point)).toEqual([
      root,
      middle,
      root,
      tip,
    ]);
    expect(answers[0]).toMatchObject({
      is_root_fork: true,
      parent_id: root,
      branch_key: "cheaper",
      trace_id: "trc_2",
      payload: { other: 1 },
      created_by: { agent_id: ana.id, role: "writer", model: "gpt-4o-mini" },
      event: { to_agent_id: bo.id },
    });
    const commits = await expectSoundLog(server, 8);
    expect(commits.filter(({ parentId }) => parentId === root).map(({ event }) => event)).toEqual([
      "commit",
      "fork",
      "fork",
    ]);
  });

  test("what is not on the chain is no fork point; what is not this account's is not there", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account("ana"), await server.account("bo")];
    const [root = "", tip = ""] = await chainOf(server, ana, 2);
    const [other = ""] = await chainOf(server, ana, 1);
    const [theirs = ""] = await chainOf(server, bo, 1);
    for (const from of [
      { fromCtxId: other },
      { fromCtxId: theirs },
      { fromCheckpoint: "ctx_1_000000000000" },
      { fromStep: 3 },
    ]) {
      const { status, json } = await fork(server, ana, tip, from);
      expect([from, status, json]).toEqual([
        from,
        400,
        expect.objectContaining({
          code: "fork_point_invalid",
          error: expect.stringMatching(/^(Step 3|The fork point ctx_\w+) is not on the chain .* 2 steps\.$/),
        }),
      ]);
    }
    // What comes after the commit that is forked is not on its chain.
    expect((await fork(server, ana, root, { fromCtxId: tip })).status).toBe(400);
    for (const body of ['{"fromStep":0}', '{"fromStep":1.5}', '{"payload":[]}', "[]"])
      expect((await fork(server, ana, tip, body)).status).toBe(400);
    const unknown = await fork(server, ana, "ctx_1_000000000000");
    expect([unknown.status, await fork(server, ana, theirs)]).toEqual([404, unknown]);
    expect((await fork(server, ana, tip, { toAgentId: bo.id })).json).toMatchObject({
      reason: "recipient_not_found",
    });
    expect(await countRejections(server.db)).toBe(12);
    await expectSoundLog(server, 4);
  });

  test("nothing is forked at or behind a step that does not verify; before it, with a warning", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [root = "", middle = "", tip = ""] = await chainOf(server, ana, 3);
    await server.db.write((tx) =>
      tx.run("UPDATE ledger_payloads SET payload = '{\"n\":7}' WHERE position = 1"),
    );
    for (const fromCtxId of [middle, tip])
      expect((await fork(server, ana, tip, { fromCtxId })).json).toMatchObject({
        code: "fork_point_invalid",
        error: `Step 2 of the chain (${middle}) does not verify: the payload is not what its hash says. Only what is before it, up to step 1, can be forked.`,
      });
    const early = await fork(server, ana, tip, { fromCtxId: root });
    expect(early.json).toMatchObject({
      source_chain_intact: false,
      warning: expect.any(String),
      payload: { memory: { source_intact: false } },
    });
  });

  test("a step that can no longer be read is one that does not verify", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [root = "", middle = "", tip = ""] = await chainOf(server, ana, 3);
    await tamperServer(server, "ledger_commits", "UPDATE ledger_commits SET claims = '{' WHERE position = 1");
    for (const fromCtxId of [middle, tip])
      expect((await fork(server, ana, tip, { fromCtxId })).json).toMatchObject({
        code: "fork_point_invalid",
        error: expect.stringContaining(`Step 2 of the chain (${middle}) does not verify: its row can no`),
      });
    const early = await fork(server, ana, tip, { fromCtxId: root });
    expect(early.json).toMatchObject({ source_chain_intact: false, warning: expect.any(String) });
    await tamperServer(server, "ledger_commits", "UPDATE ledger_commits SET claims = '{' WHERE position = 2");
    const ofUnreadable = await fork(server, ana, tip, { fromCtxId: root });
    expect(ofUnreadable.json).toMatchObject({ fork_of: tip, fork_point: root, source_chain_intact: false });
  });

  test("what a fork belongs to may be named as answers name it", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const bo = await server.agentOf(ana.account, "bo");
    const [root = ""] = await chainOf(server, ana, 1);
    const place = { trace_id: "trc_2", branch_key: "other", to_agent_id: bo.id };
    const { json } = await fork(server, ana, root, place);
    expect(json).toMatchObject({ trace_id: "trc_2", branch_key: "other", event: { to_agent_id: bo.id } });
  });

  test("links that were made to lead in a circle end", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [root = "", , tip = ""] = await chainOf(server, ana, 3);
    await tamperServer(server, "ledger_commits", "UPDATE ledger_commits SET parent = 2 WHERE position = 0");
    for (const fromCtxId of [root, tip])
      expect((await fork(server, ana, tip, { fromCtxId })).json).toMatchObject({
        code: "fork_point_invalid",
        error: expect.stringContaining(`(${root}) does not verify: it does not follow the step before it.`),
      });
  });

  test("a fork that is repeated under its key is one fork", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [root = "", tip = ""] = await chainOf(server, ana, 2);
    const first = await fork(server, ana, tip, { idempotencyKey: "k" });
    expect(await fork(server, ana, tip, { idempotencyKey: "k" })).toEqual(first);
    expect((await fork(server, ana, root, { idempotencyKey: "k" })).status).toBe(409);
    await expectSoundLog(server, 3);
  });
}
