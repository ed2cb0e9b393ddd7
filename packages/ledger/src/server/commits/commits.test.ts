import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { type Committed, post, serverCommitSuite, vectors } from "../../testing/server-commit-suite.ts";
import { expectSoundLog } from "../../testing/server-log-checks.ts";
import { testServer } from "../../testing/test-server.ts";
import { DEFAULT_LIMITS } from "../ports.ts";
import { ledgerServerMigrations } from "../schema.ts";
import { countRejections } from "./rejections.store.ts";

serverCommitSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

test("chains have the hashes of scheme 1", async () => {
  await using server = await testServer();
  const ana = await server.account();
  type Step = { json: string; payload_hash: string; parent_hash: string | null; integrity_hash: string };
  for (const { steps } of vectors("chain_v1").chains as { steps: Step[] }[]) {
    let parentId: string | null = null;
    for (const { json, payload_hash, parent_hash, integrity_hash } of steps) {
      const body = `{"payload":${json},"parentId":${JSON.stringify(parentId)}}`;
      const commit = (await post(server, ana, body)).json as unknown as Committed;
      expect(commit.integrity).toMatchObject({ payload_hash, parent_hash, integrity_hash });
      parentId = commit.id;
    }
  }
});

test("what is no JSON payload is refused with the reason, and is in no chain", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const { rejects } = vectors("canonical") as { rejects: { json: string; reject: string }[] };
  const deep = `${'{"a":'.repeat(257)}1${"}".repeat(257)}`;
  const wrong: [string, string][] = [
    ...rejects.map(({ json, reject }): [string, string] => [`{"payload":${json}}`, reject]),
    [`{"payload":${deep}}`, "too_deep"],
    [`{"context":${deep.slice(5, -1)}}`, "too_deep"],
    ["[]", "not_an_object"],
    ['{"payload":{}}{}', "invalid_json"],
    ['{"payload":{},"payload":{}}', "duplicate_key"],
    ['\ufeff{"payload":{}}', "invalid_json"],
    ["", "payload_required"],
    ['{"payload":null}', "payload_required"],
    ['{"payload":[]}', "not_an_object"],
    ['{"payload":{},"traceId":"a\\u0000b"}', "invalid_request"],
    ['{"payload":{},"agent":{"model":"a\\u0000b"}}', "invalid_request"],
    ['{"payload":{},"toAgentId":"\\u0000"}', "invalid_request"],
    [`{"payload":{},"traceId":"${"x".repeat(201)}"}`, "invalid_request"],
    ['{"payload":{},"metadata":[]}', "invalid_request"],
    ['{"payload":{},"parentId":7}', "invalid_request"],
    ['{"payload":{},"strict":"yes"}', "invalid_request"],
    ['{"payload":{},"client_attestation":"x"}', "invalid_request"],
  ];
  for (const [body, code] of wrong) {
    const { status, json } = await post(server, ana, body);
    expect([body, status, json]).toEqual([body, 400, expect.objectContaining({ code })]);
    expect(json).toMatchObject({ error: expect.any(String) });
  }
  const bytes = Buffer.from([...Buffer.from('{"payload":{"a":"'), 0xff, ...Buffer.from('"}}')]);
  expect((await server.call({ method: "POST", path: "/api/commit", body: bytes }, ana)).status).toBe(400);
  expect(await countRejections(server.db)).toBe(wrong.length + 1);
  expect((await post(server, ana, `{"payload":${deep.slice(5, -1)}}`)).status).toBe(200);
  await expectSoundLog(server, 1);
});

test("a name that two agents have is nobody's", async () => {
  await using server = await testServer();
  const ana = await server.account("ana");
  for (let twin = 0; twin < 2; twin++) await server.agentOf(ana.account, "twin");
  expect((await post(server, ana, { payload: {}, toAgentId: "twin" })).status).toBe(404);
});

test("nothing changes or deletes a commit", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const { id } = await server.commit(ana, { payload: {} });
  for (const method of ["DELETE", "PUT", "PATCH"])
    for (const path of [
      "/api/commit",
      "/api/commits",
      `/api/commits/${id}`,
      `/api/commits/${id}/signature`,
    ]) {
      const { status, json, headers } = await server.call({ method, path, body: {} }, ana);
      expect([method, path, status]).toEqual([method, path, 405]);
      expect(json).toMatchObject({ error: expect.any(String), code: "method_not_allowed" });
      expect(headers.allow).toBeTruthy();
    }
  await expectSoundLog(server, 1);
});

test("a payload has a largest size of canonical text; 10 MB unless told", async () => {
  await using server = await testServer({ limits: { payloadBytes: 1000 } });
  const ana = await server.account();
  const sized = (bytes: number) => `{"payload":{"a" :   "${"é".repeat((bytes - '{"a":""}'.length) / 2)}"}}`;
  expect((await post(server, ana, sized(1000))).status).toBe(200);
  const over = await post(server, ana, sized(1002));
  expect([over.status, over.json]).toEqual([413, expect.objectContaining({ code: "payload_too_large" })]);
  expect((await post(server, ana, " ".repeat(12_000_001))).status).toBe(413);
  await expectSoundLog(server, 1);
});

test("a body has a largest number of members and items, since short ones take long; 50,000 unless told", async () => {
  expect(DEFAULT_LIMITS.payloadValues).toBe(50_000);
  await using server = await testServer({ limits: { payloadValues: 10 } });
  const ana = await server.account();
  const sized = (items: number) => ({ payload: { a: Array.from({ length: items }, () => 0) } });
  const { status, json } = await post(server, ana, sized(8));
  expect(status).toBe(200);
  const forkPath = `/api/fork/${(json as { id: string }).id}`;
  expect((await server.call({ path: forkPath, body: sized(8) }, ana)).status).toBe(200);
  for (const path of ["/api/commit", forkPath]) {
    const over = await server.call({ path, body: sized(9) }, ana);
    const code = { code: "too_many_values", error: expect.stringContaining("10 "), hint: expect.any(String) };
    expect([over.status, over.json]).toEqual([413, code]);
  }
  const around = await post(server, ana, { payload: {}, ...Object.fromEntries([..."abcdefghij"].entries()) });
  expect(around.status).toBe(413);
  await expectSoundLog(server, 2);
});

test("an agent sends so many bytes an hour; the next ones wait", async () => {
  await using server = await testServer({ limits: { agentBytesAnHour: 1000 } });
  const ana = await server.account("ana");
  const bo = await server.agentOf(ana.account, "bo");
  const body = { payload: { a: "x".repeat(400) } };
  const statuses = [];
  for (let at = 0; at < 3; at++) statuses.push((await post(server, ana, body)).status);
  expect(statuses).toEqual([200, 200, 429]);
  const refused = await post(server, ana, body);
  expect([refused.headers["retry-after"], refused.json]).toEqual([
    "3600",
    expect.objectContaining({ code: "rate_limited" }),
  ]);
  expect((await post(server, bo, body)).status).toBe(200);
  await server.clock.advance(3_600_001);
  expect((await post(server, ana, body)).status).toBe(200);
  await expectSoundLog(server, 4);
});

test("what is refused counts as sent, too, and nothing is read of what is over", async () => {
  await using server = await testServer({ limits: { agentBytesAnHour: 1000 } });
  const ana = await server.account("ana");
  const root = await server.commit(ana, { payload: {} });
  const noJson = "x".repeat(450);
  const ask = async (path: string) => (await server.call({ method: "POST", path, body: noJson }, ana)).status;
  expect([await ask("/api/commit"), await ask(`/api/fork/${root.id}`)]).toEqual([400, 400]);
  expect([await ask("/api/commit"), await ask(`/api/fork/${root.id}`)]).toEqual([429, 429]);
});

test("without a key there is 401, and a sentence that says so", async () => {
  await using server = await testServer();
  const { status, json } = await server.call({ path: "/api/commit", body: { payload: {} } });
  expect(status).toBe(401);
  expect(json).toMatchObject({ code: "unauthorized", error: expect.stringMatching(/credential/) });
});
