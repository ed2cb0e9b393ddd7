import { readFileSync } from "node:fs";
import { verifyInclusion } from "@darkmatter/proof";
import { describe, expect, type TestContext, test } from "vitest";
import { countRejections } from "../server/commits/rejections.store.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { expectSoundLog } from "./server-log-checks.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

export interface Committed {
  readonly id: string;
  readonly payload: unknown;
  readonly integrity: { readonly payload_hash: string; readonly integrity_hash: string };
  readonly _proof: {
    readonly leaf_hash: string;
    readonly tree_root: string;
    readonly tree_size: number;
    readonly inclusion_proof: { readonly leaf_index: number; readonly proof: never[] };
  };
}

type Opened = (context: TestContext) => Promise<TestServer>;

const VECTORS = process.env.DARKMATTER_VECTORS ?? `${import.meta.dirname}/../../../../vectors`;
export const vectors = (name: string) => JSON.parse(readFileSync(`${VECTORS}/ledger/${name}.json`, "utf8"));

/** What committing is on every database: run it on yours. */
export function serverCommitSuite(name: string, open: OpenServerDatabase): void {
  const opened: Opened = async (context) => testServer({ db: await open(context) });
  describe(`POST /api/commit: ${name}`, () => {
    payloadSuite(opened);
    refusalSuite(opened);
    idempotencySuite(opened);
    sizeSuite(opened);
    orderSuite(opened);
  });
}

export const post = (server: TestServer, by: TestAgent, body: string | object, headers = {}) =>
  server.call({ path: "/api/commit", body, headers }, by);

function payloadSuite(opened: Opened): void {
  test("every payload comes back as it was sent, hashed as canon-1 says, with a proof that holds", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const { cases } = vectors("canonical") as { cases: { json: string; payload_hash: string }[] };
    for (const [at, { json, payload_hash }] of cases.entries()) {
      const { status, text, json: answered } = await post(server, ana, ` {"payload" :${json} }`);
      expect([json, status]).toEqual([json, 200]);
      expect(text).toContain(`"payload":${json},"integrity"`);
      const { integrity, _proof } = answered as unknown as Committed;
      expect(integrity.payload_hash).toBe(`sha256:${payload_hash.replace("sha256:", "")}`);
      const { leaf_hash: leaf, tree_root: root, tree_size: size, inclusion_proof } = _proof;
      expect(size).toBe(at + 1);
      expect(verifyInclusion({ leaf, root, size, index: at, proof: inclusion_proof.proof })).toBe(true);
    }
    const commits = await expectSoundLog(server, cases.length);
    expect(commits.map(({ payload }) => payload)).toEqual(cases.map(({ json }) => json));
  });

  test("what is said beside the payload is kept: recipient, trace, branch, event, model", async (context) => {
    await using server = await opened(context);
    const ana = await server.account("ana");
    const bo = await server.agentOf(ana.account, "bo");
    const commit = await server.commit(ana, {
      context: { is: "older" },
      toAgentId: "bo",
      traceId: "trc_1",
      branchKey: "draft",
      eventType: "anthropic.tool_call",
      agent: { role: "writer", provider: "anthropic", model: "claude", other: 1 },
      metadata: { temperature: 0.2 },
      completeness_claim: true,
    });
    expect(commit).toMatchObject({
      payload: { output: { is: "older" } },
      trace_id: "trc_1",
      branch_key: "draft",
      created_by: {
        agent_id: ana.id,
        agent_name: "ana",
        role: "writer",
        provider: "anthropic",
        model: "claude",
      },
      event: { type: "commit", label: "anthropic.tool_call", to_agent_id: bo.id, to_agent_name: "bo" },
      completeness_claim: true,
      verify_public: false,
      integrity_v2: { client_match: null, signature_status: "none", key_id: "default" },
    });
    const checkpoint = await server.commit(ana, { payload: {}, toAgentId: bo.id, eventType: "checkpoint" });
    expect(checkpoint).toMatchObject({
      event: { type: "checkpoint", to_agent_id: bo.id },
      branch_key: "main",
    });
    expect(JSON.stringify(checkpoint)).not.toContain("label");
  });

  test("a commit that is shared as it is made is public, with what came before it", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const commit = await server.commit(ana, { payload: { n: 1 }, share: true });
    expect(commit).toMatchObject({ verify_public: true });
    expect((await server.call({ path: `/r/${commit.id}?format=json` })).status).toBe(200);
    const quiet = await server.commit(ana, { payload: { n: 2 } });
    expect((await server.call({ path: `/r/${quiet.id}?format=json` })).status).toBe(404);
  });
}

function refusalSuite(opened: Opened): void {
  test("a recipient or a parent of another account is as one that does not exist; nothing is stored", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account("ana"), await server.account("bo")];
    const theirs = await server.commit(bo, { payload: {} });
    const attempts = [
      { toAgentId: bo.id },
      { toAgentId: "bo" },
      { toAgentId: "dm_0000000000000000" },
      { parentId: theirs.id },
      { parentId: "ctx_1_000000000000" },
    ];
    const answers = [];
    for (const attempt of attempts) answers.push(await post(server, ana, { payload: {}, ...attempt }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(2);
    expect(answers[0]?.json).toMatchObject({
      error: expect.any(String),
      reason: "recipient_not_found",
      verified: false,
      code: "not_found",
    });
    expect(await countRejections(server.db)).toBe(5);
    await expectSoundLog(server, 1);
  });
}

function idempotencySuite(opened: Opened): void {
  test("the same request under one key is one commit with one answer, for a day", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const bo = await server.agentOf(ana.account, "bo");
    const body = { payload: { n: 1 }, claim: 1, idempotencyKey: "k" };
    const first = await post(
      server,
      ana,
      { payload: { n: 1 }, payload_hash: "no" },
      { "idempotency-key": "k" },
    );
    await server.commit(ana, { payload: { n: 2 } });
    await server.clock.advance(23 * 3_600_000);
    const again = await post(server, ana, ' {"payload_hash":"no",  "payload":{"n":1}}', {
      "idempotency-key": "k",
    });
    expect(again).toEqual(first);
    expect(first.json).toMatchObject({ _warnings: ["hash_mismatch: payload_hash"] });

    const other = await post(server, ana, body);
    expect([other.status, other.json]).toEqual([
      409,
      expect.objectContaining({ code: "idempotency_conflict" }),
    ]);
    expect((await post(server, bo, body)).status).toBe(200);
    await expectSoundLog(server, 3);

    await server.clock.advance(3_600_001);
    const late = await post(server, ana, body);
    expect([
      late.status,
      (late.json as unknown as Committed).id !== (first.json as unknown as Committed).id,
    ]).toEqual([200, true]);
    expect(await post(server, ana, body)).toEqual(late);
    await expectSoundLog(server, 4);
  });

  test("what was kept for a day is swept", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await server.commit(ana, { payload: {}, idempotencyKey: "old" });
    await server.clock.advance(12 * 3_600_000);
    await server.commit(ana, { payload: {}, idempotencyKey: "young" });
    await server.clock.advance(12 * 3_600_000);
    await server.server.jobs.find(({ name }) => name === "ledger.forget-requests")?.run();
    expect(await server.db.all("SELECT key FROM ledger_idempotency")).toEqual([{ key: "young" }]);
  });

  test("one key used at once is one commit, whoever comes first", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const bodies = Array.from({ length: 12 }, (_, at) => ({ payload: { n: at % 2 }, idempotencyKey: "k" }));
    const answers = await Promise.all(bodies.map((body) => post(server, ana, body)));
    const [commit] = await expectSoundLog(server, 1);
    const winner = Number(commit?.payload === '{"n":1}');
    expect(answers.map(({ status }) => status)).toEqual(
      bodies.map(({ payload }) => (payload.n === winner ? 200 : 409)),
    );
    expect(new Set(answers.filter(({ status }) => status === 200).map(({ text }) => text)).size).toBe(1);
  });
}

function sizeSuite(opened: Opened): void {
  test("a payload of 10 MB is committed and comes back", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const payload = `{"a":"${"x".repeat(10_000_000 - '{"a":""}'.length)}"}`;
    const { status, text } = await post(server, ana, `{"payload":${payload}}`);
    expect([status, text.includes(payload)]).toEqual([200, true]);
    const row = await server.db.get<{ payload: string }>("SELECT payload FROM ledger_payloads");
    expect(row?.payload === payload).toBe(true);
  });
}

function orderSuite(opened: Opened): void {
  test("64 at once get places without a gap; each answer's proof holds in the log as it then was", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const root = await server.commit(ana, { payload: {} });
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, n) => server.commit(ana, { payload: { n }, parentId: root.id })),
    );
    const commits = await expectSoundLog(server, 65);
    for (const { id, _proof } of answers as unknown as Committed[]) {
      const { leaf_hash: leaf, tree_root: root, tree_size: size, inclusion_proof } = _proof;
      const { leaf_index: index, proof } = inclusion_proof;
      expect(commits[index]?.id).toBe(id);
      expect(verifyInclusion({ leaf, root, size, index, proof })).toBe(true);
    }
  });
}
