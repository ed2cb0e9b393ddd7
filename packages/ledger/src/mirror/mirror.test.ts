import { canon1OfJson, HOUR_MS, MINUTE_MS, parseJson, SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import {
  createUndiciWire,
  netError,
  type OutboundAnswer,
  type OutboundRequest,
  type Wire,
} from "@darkmatter/net";
import { prefixed } from "@darkmatter/proof";
import { serveHttp } from "@darkmatter/surface";
import { expect, test } from "vitest";
import { COMMIT_BODY_BYTES_MAX } from "../server/commits/commit-body.ts";
import { type TestLedger, testLedger } from "../testing/test-ledger.ts";
import { type TestAgent, type TestServer, testServer } from "../testing/test-server.ts";
import { readMirrorState } from "./mirror.store.ts";
import { createMirror } from "./mirror.ts";

const URL = "https://ledger.test";
const POLL_MS = 2 * SECOND_MS;

/** What happens to a request on its way; `undefined` lets it through. */
type Fault = (
  request: OutboundRequest,
) => "unreachable" | "answer lost" | Partial<OutboundAnswer> | undefined;

interface Carrier {
  readonly url: string;
  readonly request: (request: OutboundRequest) => Promise<OutboundAnswer>;
}

interface Mirrored extends AsyncDisposable {
  readonly node: TestLedger;
  readonly server: TestServer;
  readonly agent: TestAgent;
  readonly sent: OutboundRequest[];
  readonly reported: string[];
  fault: Fault;
  readonly over: Carrier | undefined;
  /** One run of the job, a poll's time after the one before. */
  run(afterMs?: number): Promise<void>;
  /** The process ends and another begins. */
  restart(apiKey?: string): Promise<void>;
  state(): ReturnType<typeof readMirrorState>;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
type Shown = any;

async function mirrored({
  seed = 1,
  server: given,
  over,
}: {
  seed?: number;
  server?: TestServer;
  /** What carries its requests, and where to: in memory by default. */
  over?: Carrier;
} = {}): Promise<Mirrored> {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  const node = await testLedger({ seed, clock });
  const server = given ?? (await testServer());
  const agent = await server.account(`node ${seed}`);
  const sent: OutboundRequest[] = [];
  const reported: string[] = [];
  const made: Mirrored = {
    node,
    server,
    agent,
    sent,
    reported,
    fault: () => undefined,
    over,
    async run(afterMs = POLL_MS) {
      await clock.advance(afterMs);
      await mirror.job.run();
    },
    async restart(apiKey = agent.key) {
      await mirror.stop();
      mirror = begin(apiKey);
    },
    state: () => readMirrorState(node.db),
    async [Symbol.asyncDispose]() {
      await mirror.stop();
      await node[Symbol.asyncDispose]();
      if (!given) await server[Symbol.asyncDispose]();
    },
  };
  const wire = { request: (request: OutboundRequest) => carry(made, request) } as unknown as Wire;
  const begin = (apiKey: string) =>
    createMirror(
      { ...node, wire, report: (event, { reason }) => void reported.push(`${event}: ${reason}`) },
      node.checkpoints,
      { url: over?.url ?? URL, apiKey },
    );
  let mirror = begin(agent.key);
  return made;
}

async function carry(
  { fault, server, sent, over }: Mirrored,
  request: OutboundRequest,
): Promise<OutboundAnswer> {
  sent.push(request);
  const happens = fault(request);
  if (happens === "unreachable") throw netError("UNREACHABLE");
  const answer = await (over?.request(request) ?? inMemory(server, request));
  if (request.signal?.aborted) throw netError("ABORTED");
  if (happens === "answer lost") throw netError("CONNECTION_LOST");
  return { ...answer, ...happens };
}

async function inMemory(server: TestServer, { method, url, headers, body }: OutboundRequest) {
  const call = { method, path: url.slice(URL.length), headers: { ...headers } };
  const answer = await server.call({ ...call, ...(body !== undefined && { body }) });
  return { status: answer.status, headers: answer.headers, body: Buffer.from(answer.text) };
}

/** The commits as the server has them, in the log's order. */
async function onServer({ server, agent }: Mirrored): Promise<Shown[]> {
  const { json } = await server.call({ path: "/api/pull?limit=1000" }, agent);
  return (json as Shown).contexts.toReversed();
}

const commitsSent = ({ sent }: Mirrored) => sent.filter(({ url }) => url.endsWith("/api/commit"));

test("each act and each checkpoint is copied: the same chains, hashed alike, signed by the passport", async () => {
  await using one = await mirrored();
  const { node } = one;
  await node.append({ trace: "msg-1" });
  await node.append({ trace: "msg-2", act: "message.received" });
  await node.db.write((tx) => node.checkpoints.make(tx));
  await node.append({ trace: "msg-1", act: "reply.received" });

  await one.run();

  const here = await node.commits();
  const there = await onServer(one);
  expect(there.map((commit) => commit.event.label ?? commit.event.type)).toEqual([
    "message.sent",
    "message.received",
    "checkpoint",
    "reply.received",
  ]);
  const [first, second, checkpoint, third] = there;
  expect([first, second, third].map(({ trace_id }) => trace_id)).toEqual(["msg-1", "msg-2", "msg-1"]);
  expect(third.parent_id).toBe(first.id);
  for (const [at, copy] of [first, second, third].entries()) {
    const commit = here[at];
    expect(copy.payload).toEqual(parseJson(commit?.payload ?? ""));
    expect(copy.integrity).toMatchObject({
      payload_hash: prefixed(commit?.payloadHash ?? ""),
      integrity_hash: prefixed(commit?.chainHash ?? ""),
      verification_status: "valid",
    });
    expect(copy.integrity_v2).toMatchObject({
      signature_status: "valid",
      client_match: true,
      key_id: "passport",
    });
  }
  const signed = await node.checkpoints.latest(node.db);
  expect(checkpoint.payload).toEqual(signed);
  expect(checkpoint.integrity_v2.signature_status).toBe("valid");
  expect(await one.state()).toMatchObject({
    url: URL,
    agentId: one.agent.id,
    next: 3,
    checkpointSize: 2,
    trouble: null,
  });
  expect(one.reported).toEqual([]);
});

test("content stays here: what leaves are commitments, and what names the commit in this log", async () => {
  await using one = await mirrored();
  const { node } = one;
  await node.append({ fields: { content: "the secret plan", metadata: { colour: "ultramarine" } } });
  await node.append();

  await one.run();

  const [first, second] = await node.commits();
  const [sent, next] = commitsSent(one).map(({ body }) => JSON.parse(String(body)));
  expect(JSON.stringify(one.sent)).not.toMatch(/secret plan|ultramarine/);
  expect(sent).toMatchObject({ parentId: null, traceId: first?.trace, eventType: "message.sent" });
  expect(String(commitsSent(one)[0]?.body)).toContain(`{"payload":${first?.payload},`);
  expect(next.metadata.node).toMatchObject({
    agent_id: node.signer.agentId,
    commit_id: second?.id,
    integrity_hash: second?.integrityHash,
    log_position: 1,
    leaf_hash: second?.leaf,
    envelope: { agent_id: node.signer.agentId, parent_integrity_hash: first?.integrityHash },
  });
  const { envelope, agent_signature } = next.metadata.node;
  expect(await node.verifier.verify(node.signer.agentId, canon1OfJson(envelope), agent_signature)).toBe(true);
});

test("an answer that is lost costs nothing: the server has each commit once", async () => {
  await using one = await mirrored();
  for (const trace of ["a", "b", "a"]) await one.node.append({ trace });
  let lost = 0;
  one.fault = ({ url }) => (url.endsWith("/api/commit") && lost++ % 2 === 0 ? "answer lost" : undefined);

  for (let round = 0; round < 10; round++) await one.run(MINUTE_MS);

  expect(await one.state()).toMatchObject({ next: 3, trouble: null });
  expect(commitsSent(one)).toHaveLength(6);
  expect((await onServer(one)).map(({ trace_id }) => trace_id)).toEqual(["a", "b", "a"]);
  // Not a byte of a repeated request differs: another body under the same key would be refused.
  const [first, again] = commitsSent(one);
  expect(again).toEqual({ ...first, signal: expect.anything() });
});

test("what arrived without an answer a day ago is looked for before it is sent again", async () => {
  await using one = await mirrored();
  const { node, server } = one;
  const pass = async (hours: number) => {
    await server.clock.advance(hours * HOUR_MS);
    await one.restart();
    await one.run(hours * HOUR_MS);
  };
  await node.append({ trace: "a" });
  await one.run();
  await node.append({ trace: "a" });
  one.fault = ({ url }) => (url.endsWith("/api/commit") ? "answer lost" : undefined);
  await one.run();
  expect(await one.state()).toMatchObject({ next: 1 });
  one.fault = () => undefined;
  await pass(30);
  expect(await one.state()).toMatchObject({ next: 2, trouble: null });
  expect(commitsSent(one)).toHaveLength(2);

  // A checkpoint's answer is lost likewise; so is an act's, on whose way nothing arrived.
  await node.db.write((tx) => node.checkpoints.make(tx));
  one.fault = ({ url }) => (url.endsWith("/api/commit") ? "answer lost" : undefined);
  await one.run();
  await node.append({ trace: "a" });
  one.fault = () => undefined;
  await pass(30);
  expect(await one.state()).toMatchObject({ next: 3, checkpointSize: 2 });
  await node.append({ trace: "a" });
  one.fault = ({ url }) => (url.endsWith("/api/commit") ? "unreachable" : undefined);
  await one.run();
  one.fault = () => undefined;
  await pass(30);
  expect(await one.state()).toMatchObject({ next: 4, trouble: null });

  const there = await onServer(one);
  expect(there.map(({ trace_id }) => trace_id.split("_")[0])).toEqual(["a", "a", "log", "a", "a"]);
  const acts = there.filter(({ trace_id }) => trace_id === "a");
  expect(acts.map(({ parent_id }) => parent_id)).toEqual([null, ...acts.slice(0, 3).map(({ id }) => id)]);
});

test("what others commit with the key does not hide it, however large that is: over HTTP", {
  timeout: 60_000,
}, async () => {
  const server = await testServer();
  const { handler, maxBodyBytes } = server.server;
  const onError = (error: unknown) => expect.unreachable(String(error));
  const http = await serveHttp({ handler, host: "127.0.0.1", port: 0, maxBodyBytes, onError });
  const line = createUndiciWire();
  await using one = await mirrored({
    server,
    over: { url: http.url, request: (sent) => line.request(sent) },
  });
  const { node, agent } = one;
  await node.append({ trace: "a" });
  await one.run();
  await node.append({ trace: "a" });
  one.fault = ({ url }) => (url.endsWith("/api/commit") ? "answer lost" : undefined);
  await one.run();
  // As large as a server takes it: spaces count as what was sent.
  const room = COMMIT_BODY_BYTES_MAX - 100_000;
  const text = `{"traceId":"a","payload":{"text":"${"x".repeat(9_900_000)}"${" ".repeat(room - 9_900_000)}}}`;
  const sent = { body: Buffer.from(text), headers: { "content-type": "application/json" } };
  expect((await server.call({ method: "POST", path: "/api/commit", ...sent }, agent)).status).toBe(200);
  for (let at = 0; at < 3; at++)
    await server.commit(agent, { traceId: "a", payload: { text: "y".repeat(600_000) } });

  one.fault = () => undefined;
  await server.clock.advance(30 * HOUR_MS);
  await one.restart();
  await one.run(30 * HOUR_MS);

  expect(await one.state()).toMatchObject({ next: 2, trouble: null });
  expect(commitsSent(one)).toHaveLength(2);
  expect(one.sent.filter(({ url }) => url.includes("/api/search"))).toHaveLength(5);
  await line.close();
  await http.close();
  await server[Symbol.asyncDispose]();
});

test("a long log that was never sent is not looked for, act by act", async () => {
  await using one = await mirrored();
  for (let act = 0; act < 5; act++) await one.node.append({ trace: `msg-${act}` });
  await one.run(30 * HOUR_MS);
  expect(await one.state()).toMatchObject({ next: 5 });
  expect(one.sent.filter(({ url }) => url.includes("/api/search"))).toHaveLength(1);
});

test("a process that ends between answer and note goes on where it was", async () => {
  await using one = await mirrored();
  for (const trace of ["a", "a", "b"]) await one.node.append({ trace });
  const { db } = one.node;
  const write = db.write.bind(db);
  let writes = 0;
  db.write = (body) => (++writes === 2 ? Promise.reject(new Error("the process ended")) : write(body));
  await one.run().catch(() => undefined);
  db.write = write;
  expect(await one.state()).toMatchObject({ next: 1 });
  expect(await onServer(one)).toHaveLength(2);

  await one.restart();
  await one.run();

  expect(await one.state()).toMatchObject({ next: 3 });
  const [first, second, ...rest] = await onServer(one);
  expect(rest).toHaveLength(1);
  expect(second.parent_id).toBe(first.id);
});

test("while the server is away the node acts on, and is asked for more and more seldom", async () => {
  await using one = await mirrored();
  await one.node.append({ trace: "a" });
  one.fault = () => "unreachable";
  for (let poll = 0; poll < 150; poll++) await one.run();

  // Five minutes: at 0, 5, 15, 35, 75, 155 s.
  expect(one.sent.length).toBeGreaterThan(3);
  expect(one.sent.length).toBeLessThan(8);
  expect(one.reported).toEqual([expect.stringContaining("MIRROR_UNREACHABLE: The ledger server")]);
  expect(await one.state()).toMatchObject({
    next: 0,
    agentId: "",
    trouble: expect.stringContaining("UNREACHABLE"),
  });
  await one.node.append({ trace: "a" });

  one.fault = () => undefined;
  await one.run(5 * MINUTE_MS);
  expect(await one.state()).toMatchObject({ next: 2, agentId: one.agent.id, trouble: null, troubleMs: null });
  expect(await onServer(one)).toHaveLength(2);
});

test("a server that wants a pause gets it, as long as it says", async () => {
  await using one = await mirrored();
  await one.node.append();
  one.fault = ({ url }) =>
    url.endsWith("/api/commit") ? { status: 429, headers: { "retry-after": "40" } } : undefined;
  await one.run();
  const before = one.sent.length;
  for (let poll = 0; poll < 19; poll++) await one.run();
  expect(one.sent).toHaveLength(before);
  expect(one.reported).toEqual([]);

  one.fault = () => undefined;
  await one.run();
  expect(await one.state()).toMatchObject({ next: 1 });
});

test("a pause without a time, or with an absurd one, has bounds", async () => {
  await using one = await mirrored();
  await one.node.append();
  for (const retryAfter of ["99999999", "tomorrow"]) {
    one.fault = () => ({ status: 429, headers: { "retry-after": retryAfter } });
    await one.run(61 * MINUTE_MS);
  }
  one.fault = () => undefined;
  await one.run(MINUTE_MS);
  expect(await one.state()).toMatchObject({ next: 1 });
});

test("a server that changes what it was sent is found out, and gets nothing more", async () => {
  await using one = await mirrored();
  await one.node.append();
  await one.node.append();
  const [first] = await one.node.commits();
  const wrong = { integrity_hash: prefixed("00".repeat(32)) };
  const right = { integrity_hash: prefixed(first?.chainHash ?? "") };
  for (const [integrity, scheme] of [
    [wrong, "scheme-1"],
    [right, "scheme-2"],
  ]) {
    const answer = { id: "ctx_1795255200000_0123456789ab", integrity, integrity_v2: wrong };
    one.fault = ({ url }) =>
      url.endsWith("/api/commit") ? { status: 200, body: Buffer.from(JSON.stringify(answer)) } : undefined;
    await one.run(MINUTE_MS);
    expect(await one.state()).toMatchObject({
      next: 0,
      trouble: expect.stringMatching(`MIRROR_DIFFERS: The server's ${scheme}`),
    });
  }
  expect(new Set(commitsSent(one).map(({ headers }) => headers?.["idempotency-key"])).size).toBe(1);
});

test("what is no ledger, refuses the key or sends elsewhere is told apart, and the key is never shown", async () => {
  await using one = await mirrored();
  await one.node.append();
  const cases: [Partial<OutboundAnswer>, RegExp][] = [
    [{ status: 200, body: Buffer.from("<html>hello</html>") }, /MIRROR_NO_LEDGER/],
    [{ status: 401 }, /MIRROR_KEY_REFUSED/],
    [{ status: 302, headers: { location: "https://elsewhere.test" } }, /MIRROR_REFUSED.* 302/],
    [
      { status: 500, body: Buffer.from(JSON.stringify({ code: `x ${one.agent.key}` })) },
      /MIRROR_REFUSED.* 500/,
    ],
    [{ status: 404, body: Buffer.from(`{"code":"not_found"}`) }, /MIRROR_REFUSED.* 404 \(not_found\)/],
  ];
  for (const [answer, trouble] of cases) {
    one.fault = () => answer;
    await one.run(10 * MINUTE_MS);
    expect((await one.state())?.trouble).toMatch(trouble);
  }
  expect(new Set(one.sent.map(({ url }) => url))).toEqual(new Set([`${URL}/api/me`]));
  expect(JSON.stringify([one.reported, await one.state()])).not.toContain(one.agent.key);
});

test("an agent whose key is another node's is not signed for", async () => {
  await using one = await mirrored();
  await one.node.append();
  await one.run();
  await using other = await mirrored({ seed: 2, server: one.server });
  await other.node.append();
  await other.restart(one.agent.key);
  await other.run();
  expect((await other.state())?.trouble).toMatch(/MIRROR_KEY_TAKEN/);
  expect(commitsSent(other)).toEqual([]);
});

test("a key that was revoked over there ends it, and says so", async () => {
  await using one = await mirrored();
  await one.node.append();
  await one.run();
  await one.server.call(
    { path: "/api/agents/keys/revoke", body: { keyId: "passport", reason: "lost" } },
    one.agent,
  );
  await one.node.append();
  await one.run();
  await one.run(MINUTE_MS);
  expect((await one.state())?.trouble).toMatch(/MIRROR_KEY_TAKEN/);
});

test("another agent of the server gets the log from its beginning; the first one's place is kept", async () => {
  await using one = await mirrored();
  await one.node.append({ trace: "a" });
  await one.run();
  const other = await one.server.account("other");
  await one.restart(other.key);
  await one.run();
  expect(await one.state()).toMatchObject({ agentId: other.id, next: 1 });
  await one.node.append({ trace: "a" });
  await one.restart();
  await one.run();
  expect(await one.state()).toMatchObject({ agentId: one.agent.id, next: 2 });
  expect(await onServer(one)).toHaveLength(2);
});

test("a commit that is not what its hashes say is not passed on", async () => {
  await using one = await mirrored();
  await one.node.append();
  await one.node.db.write(async (tx) => {
    await tx.run("DROP TRIGGER ledger_commits_keep");
    await tx.run("UPDATE ledger_commits SET accepted_ms = accepted_ms + 60000");
  });
  await one.run();
  expect(commitsSent(one)).toEqual([]);
  expect((await one.state())?.trouble).toMatch(/MIRROR_UNSOUND/);
});

test("ids of peers that no server takes as a trace are named by their hash", async () => {
  await using one = await mirrored();
  for (const trace of ["x".repeat(201), "line\nbreak"]) await one.node.append({ trace });
  await one.run();
  const traces = (await onServer(one)).map(({ trace_id }) => trace_id);
  expect(traces).toEqual([
    expect.stringMatching(/^trc_[0-9a-f]{64}$/),
    expect.stringMatching(/^trc_[0-9a-f]{64}$/),
  ]);
  expect(await one.state()).toMatchObject({ next: 2, trouble: null });
});

test("a stop ends what is under way", async () => {
  await using one = await mirrored();
  await one.node.append();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  one.fault = () => {
    begin();
    return undefined;
  };
  const running = one.run();
  await begun;
  await one.restart();
  await running;
  expect(one.sent).toHaveLength(1);
  expect(one.reported).toEqual([]);
});
