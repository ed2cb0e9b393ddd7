import { expect, test } from "vitest";
import { type TestAgent, testServer } from "../testing/test-server.ts";
import { COMMIT_BODY_BYTES_MAX } from "./commits/commit-body.ts";
import type { LedgerServerPorts } from "./ports.ts";

async function open(ports: Partial<LedgerServerPorts> = {}) {
  const server = await testServer({ ports });
  const ask = async (by: Partial<TestAgent>, path = "/api/commit", method = "POST") => {
    const headers: Record<string, string> = by.key === undefined ? {} : { authorization: `Bearer ${by.key}` };
    const remote = { address: "127.0.0.1", loopback: true };
    const signal = new AbortController().signal;
    const head = { method, path, query: "", headers, body: new Uint8Array(0), remote, signal };
    return server.server.admitLarge(head, COMMIT_BODY_BYTES_MAX);
  };
  const statusOf = async (...asked: Parameters<typeof ask>) => {
    const large = await ask(...asked);
    return large.kind === "admitted" ? large : large.answer.status;
  };
  return { server, ask, statusOf, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("large bodies are for commits, and for whoever has a key", async () => {
  await using world = await open();
  const { server, statusOf } = world;
  const ana = await server.account();
  const stranger = { key: `dm_sk_${"0".repeat(48)}` };
  expect([await statusOf({}), await statusOf(stranger), await statusOf({ key: "dm_sk_" })]).toEqual([
    401, 401, 401,
  ]);
  for (const path of ["/auth/login", "/api/commits", "/api/fork/", "/api/fork/a/b", "/", "/api/share/a"])
    expect(await statusOf(ana, path)).toBe(413);
  expect(await statusOf(ana, "/api/commit", "GET")).toBe(413);
  expect(await statusOf(ana)).toMatchObject({ kind: "admitted" });
  expect(await statusOf(ana, "/api/fork/ctx_1_000000000000")).toMatchObject({ kind: "admitted" });
});

test("few are held at once, of one account fewer; what was answered counts no more", async () => {
  await using world = await open();
  const { server, statusOf } = world;
  const people = await Promise.all(Array.from({ length: 6 }, () => server.account()));
  const admitted: { one: TestAgent; release: () => void }[] = [];
  for (const one of people) {
    for (let at = 0; at < 6; at++) {
      const answer = await statusOf(one);
      if (typeof answer === "object") admitted.push({ one, release: answer.release });
      else expect(answer).toBe(503);
    }
  }
  const ofEach = people.map((person) => admitted.filter(({ one }) => one === person).length);
  expect(ofEach).toEqual([5, 5, 5, 5, 1, 0]);
  admitted[0]?.release();
  admitted[0]?.release();
  const last = people[5] as TestAgent;
  expect([await statusOf(last), await statusOf(last)]).toEqual([
    expect.objectContaining({ kind: "admitted" }),
    503,
  ]);
});

test("what is no commit is a few lines: longer bodies are not even parsed", async () => {
  await using server = await testServer();
  const bytes = 64 * 1024;
  const statuses = [];
  for (const size of [bytes, bytes + 1]) {
    const [begin, end] = ['{"email":"', '"}'];
    const body = begin + "x".repeat(size - begin.length - end.length) + end;
    statuses.push((await server.call({ path: "/auth/login", body })).status);
  }
  expect(statuses).toEqual([400, 413]);
  const bodies = server.server.routes.filter(
    ({ body, path }) => body !== "none" && !/commit$|fork/.test(path),
  );
  expect(Math.max(...bodies.map(({ maxBytes = Number.POSITIVE_INFINITY }) => maxBytes))).toBe(bytes);
});

test("while the database is gone a large body is refused as a small one is", async () => {
  const reports: string[] = [];
  await using world = await open({ report: (event) => reports.push(event) });
  const { server, ask } = world;
  const ana = await server.account();
  await server.db.close();
  const small = await server.call({ path: "/api/commit", body: { payload: {} } }, ana);
  const large = await ask(ana);
  expect([small.status, small.json]).toMatchObject([503, { code: "database_closed" }]);
  expect(large).toMatchObject({ kind: "refused", answer: { status: 503 } });
  const text = large.kind === "refused" ? String(large.answer.body) : "";
  const { request_id: _, ...said } = small.json as Record<string, unknown>;
  expect(JSON.parse(text)).toEqual({ ...said, request_id: expect.stringMatching(/^[0-9a-f]{16}$/) });
  expect(reports).toEqual(["route.failed", "large_body.failed"]);
});
