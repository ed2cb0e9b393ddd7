import { DAY_MS, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { netError } from "@darkmatter/net";
import { runJobs } from "@darkmatter/surface";
import { expect, test, vi } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

/** Ana wrote to bo; each is on a machine of its own. */
async function asked(apart: boolean | "public" = true) {
  const net = await memoryNetwork({ nodes: ["ana", "bo"], apart });
  await net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  await net.settle();
  const id = String(sent.message_id);
  return { net, ana, bo, id };
}

/** Ana holds a message of an agent that is driven by hand. */
async function held() {
  const net = await memoryNetwork({ nodes: ["ana"], config: { rateGlobal: -1, ratePerConnection: -1 } });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const message = bo.message();
  await bo.post(ana, "message", message);
  await net.settle();
  bo.heard.length = 0;
  return { net, ana, bo, id: String(message.message_id) };
}

const responsesOf = async (node: Awaited<ReturnType<typeof asked>>["ana"], id: string) =>
  (await node.tool("get_sent_message", { message_id: id })).responses as JsonObject[];

const inboxOf = async (node: Awaited<ReturnType<typeof asked>>["ana"]) =>
  (await node.tool("list_inbox")).messages as JsonObject[];

test("a reply is signed, echoes the metadata, and the message leaves the inbox when it is taken", async () => {
  const { net, ana, bo, id } = await held();
  await using _ = net;
  const outcome = await ana.tool("respond_message", { message_id: id, response: "42" });
  expect(outcome).toMatchObject({
    success: true,
    message_id: id,
    webhook_called: expect.stringContaining(id),
    response_time_ms: expect.any(Number),
    error: null,
  });
  const told = bo.heardAt(id);
  expect(told.map(({ type }) => type)).toEqual([undefined, "responding", "response"]);
  expect(told.at(-1)).toMatchObject({ agent_id: ana.id, response: "42", metadata: {} });
  expect(await inboxOf(ana)).toEqual([]);
});

test("of two replies at once one is sent, and the other is told so", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  const outcomes = await Promise.all([
    bo.tool("respond_message", { message_id: id, response: "one" }),
    bo.tool("send_message", { reply_to: id, content: "other" }),
  ]);
  expect(outcomes.filter(({ success }) => success === true)).toHaveLength(1);
  expect(outcomes.filter(({ success }) => success === false)).toHaveLength(1);
  expect(await responsesOf(ana, id)).toHaveLength(1);
});

test("a reply that cannot reach its sender leaves the message in the inbox", async () => {
  const { net, bo, id } = await asked();
  await using _ = net;
  using down = net.hosts.ana.down();
  const outcome = await bo.tool("respond_message", { message_id: id, response: "42" });
  expect(outcome).toMatchObject({ success: false, error: expect.any(String) });
  expect(await inboxOf(bo)).toMatchObject([{ message_id: id }]);
  down[Symbol.dispose]();
  expect(await bo.tool("respond_message", { message_id: id, response: "42" })).toMatchObject({
    success: true,
  });
});

test("a reply that is refused leaves the message in the inbox", async () => {
  const { net, ana, bo, id } = await held();
  await using _ = net;
  bo.answers(({ body }) => (body.type === "response" ? [500, { error: "broken" }] : undefined));
  const outcome = await ana.tool("respond_message", { message_id: id, response: "42" });
  expect(outcome).toMatchObject({ success: false, error: expect.stringContaining("500") });
  expect(await inboxOf(ana)).toMatchObject([{ message_id: id }]);
});

test("a reply whose answer is lost is kept, sent again by the job, and recorded once", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  // The first two exchanges are the question and the notice; the third is the reply.
  using lost = net.internet.lose("answer", { from: net.hosts.bo.name, to: net.hosts.ana.name });
  const outcome = await bo.tool("respond_message", { message_id: id, response: "42" });
  expect(outcome).toMatchObject({ success: false, error: expect.stringContaining("kept") });
  expect(await inboxOf(bo)).toEqual([]);
  await net.clock.advance(5 * SECOND_MS);
  await bo.job("messages.finish-answers");
  lost[Symbol.dispose]();
  await net.clock.advance(10 * SECOND_MS);
  await bo.job("messages.finish-answers");
  await bo.job("messages.finish-answers");
  expect(await responsesOf(ana, id)).toMatchObject([{ agent_id: bo.id, response: "42" }]);
  expect(await bo.db.all("SELECT * FROM mesh_inbox")).toEqual([]);
});

test("an answer held by a node that died goes out when it starts again, not a period later", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  using lost = net.internet.lose("answer", { from: net.hosts.bo.name, to: net.hosts.ana.name });
  await bo.tool("respond_message", { message_id: id, response: "42" });
  lost[Symbol.dispose]();
  // What the process knew of its attempts is gone with it.
  await net.clock.advance(5 * SECOND_MS);
  using _jobs = runJobs(bo.mesh.jobs, net.clock, (job, reason) => {
    throw new Error(`${job}: ${reason}`);
  });
  await vi.waitFor(async () => expect(await bo.db.all("SELECT * FROM mesh_inbox")).toEqual([]));
  expect(await responsesOf(ana, id)).toMatchObject([{ agent_id: bo.id, response: "42" }]);
});

test("a reply cut off by the node's own stop may have arrived, and is never offered again", async () => {
  const { net, ana, bo, id } = await held();
  await using _ = net;
  const request = net.hosts.ana.wire.request;
  using wire = vi.spyOn(net.hosts.ana.wire, "request");
  wire.mockImplementation(async (outbound) => {
    await request(outbound);
    throw netError("ABORTED");
  });
  await ana.tool("respond_message", { message_id: id, response: "42" });
  expect(bo.heardAt(id).at(-1)).toMatchObject({ response: "42" });
  expect(await inboxOf(ana)).toEqual([]);
});

test.each([
  ["is down", "down"],
  ["refuses", "refuse"],
])(
  "a reply that may have arrived is never offered again, though its sender %s at the next try",
  async (_title, what) => {
    const { net, ana, bo, id } = await held();
    await using _ = net;
    using lost = net.internet.lose("answer");
    await ana.tool("respond_message", { message_id: id, response: "42" });
    lost[Symbol.dispose]();
    if (what === "refuse") bo.answers(() => [429, { error: "busy" }]);
    using _down = what === "down" ? net.internet.lose("request") : undefined;
    await net.clock.advance(5 * SECOND_MS);
    await ana.job("messages.finish-answers");
    expect(await inboxOf(ana)).toEqual([]);
    expect(await ana.tool("respond_message", { message_id: id, response: "43" })).toMatchObject({
      success: false,
    });
    _down?.[Symbol.dispose]();
    bo.answers(() => [200, { success: true }]);
    await net.clock.advance(10 * SECOND_MS);
    await ana.job("messages.finish-answers");
    const responses = bo.heardAt(id).filter(({ type }) => type === "response");
    expect(new Set(responses.map(({ response }) => response))).toEqual(new Set(["42"]));
    expect(await ana.db.all("SELECT * FROM mesh_inbox")).toEqual([]);
  },
);

test("a message whose answer is on its way takes no place in the inbox", async () => {
  const { net, ana, id } = await held();
  await using _ = net;
  using _lost = net.internet.lose("answer");
  await ana.tool("respond_message", { message_id: id, response: "42" });
  expect(await ana.tool("get_identity")).toMatchObject({ message_queue_size: 0 });
});

test("one sender that never answers does not hold up the answers to others", async () => {
  const { net, ana, bo } = await held();
  await using _ = net;
  const ids: string[] = [];
  for (let at = 0; at < 25; at++) {
    const message = bo.message();
    await bo.post(ana, "message", message);
    ids.push(String(message.message_id));
  }
  using lost = net.internet.lose("answer");
  for (const id of ids) await ana.tool("respond_message", { message_id: id, response: "42" });
  lost[Symbol.dispose]();
  const last = ids.at(-1) ?? "";
  bo.answers(({ path }) => (path.endsWith(last) ? [200, {}] : [503, {}]));
  await net.clock.advance(5 * SECOND_MS);
  await ana.job("messages.finish-answers");
  await ana.job("messages.finish-answers");
  const left = await ana.db.all<{ message_id: string }>("SELECT message_id FROM mesh_inbox");
  expect(left.map(({ message_id: id }) => id)).not.toContain(last);
});

test("an answer that never arrives is given up with its message, after a day", async () => {
  const { net, ana, id } = await held();
  await using _ = net;
  using _lost = net.internet.lose("answer");
  await ana.tool("respond_message", { message_id: id, response: "42" });
  await net.clock.advance(DAY_MS - 1);
  await ana.job("messages.purge");
  expect(await ana.db.all("SELECT * FROM mesh_inbox")).toHaveLength(1);
  await net.clock.advance(1);
  await ana.job("messages.purge");
  expect(await ana.db.all("SELECT * FROM mesh_inbox")).toEqual([]);
});

test("a reply longer than a message may be is refused before anything is sent", async () => {
  const { net, ana, bo, id } = await held();
  await using _ = net;
  const long = "😀".repeat(65_536);
  expect(await ana.tool("respond_message", { message_id: id, response: `${long}!` })).toMatchObject({
    success: false,
  });
  expect(bo.heard).toEqual([]);
  expect(await ana.tool("respond_message", { message_id: id, response: long })).toMatchObject({
    success: true,
  });
});

test("a reply counts towards the peer's response time and our trust in it", async () => {
  const { net, ana, bo, id } = await asked();
  await using _ = net;
  net.internet.latency(50);
  const answering = bo.tool("respond_message", { message_id: id, response: "42" });
  await net.clock.advance(1000);
  expect(await answering).toMatchObject({ success: true, response_time_ms: 100 });
  expect(await bo.tool("list_connections")).toMatchObject({
    connections: [{ agent_id: ana.id, avg_response_time_ms: 100, score: 0.001 }],
  });
});
