import { DAY_MS, HOUR_MS, type JsonObject } from "@darkmatter/core";
import { createVerifier, replyText } from "@darkmatter/identity";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { a2aCaller, a2aMessage, OWNER } from "../testing/a2a-caller.ts";
import { memoryNetwork } from "../testing/memory-network.ts";

const NOW = { configuration: { returnImmediately: true } };
const state = (task: JsonObject) => (task.status as JsonObject).state;

async function oneNode(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config });
  return { net, ana: net.nodes.ana };
}

/** The message of a caller that waits for the agent. */
async function waiting(node: { tool(name: string): Promise<JsonObject> }): Promise<JsonObject[]> {
  return (await node.tool("list_inbox")).messages as JsonObject[];
}

test("a caller leaves a message, the agent answers with its ordinary tools, and the caller gets the answer", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const task = await caller.leave("What is 6 × 7?", { contextId: "ctx-1" });
  expect(task).toMatchObject({ contextId: "ctx-1", status: { state: "TASK_STATE_SUBMITTED" } });

  const [message] = await waiting(ana);
  expect(message).toMatchObject({
    content: "What is 6 × 7?",
    from_agent_id: "a2a:phone",
    can_forward: false,
  });
  expect(state(await caller.call("GetTask", { id: task.id }))).toBe("TASK_STATE_WORKING");
  const replied = await ana.tool("respond_message", { message_id: message?.message_id, response: "42" });
  expect(replied).toMatchObject({ success: true, error: null });

  const done = await caller.call("GetTask", { id: task.id });
  expect(done).toMatchObject({
    status: { state: "TASK_STATE_COMPLETED" },
    artifacts: [{ parts: [{ text: "42" }] }],
    history: [{ role: "ROLE_USER", parts: [{ text: "What is 6 × 7?" }] }],
  });
  expect(await waiting(ana)).toEqual([]);
});

test("an answer carries the passport's signature, by which its reader can prove it", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const task = await caller.leave("sign this");
  const [message] = await waiting(ana);
  await ana.tool("send_message", { reply_to: message?.message_id, content: "done,\nas you said" });
  const { artifacts } = await caller.call("GetTask", { id: task.id });
  const [{ parts, metadata }] = artifacts as [
    { parts: [{ text: string }]; metadata: { darkmatter: JsonObject } },
  ];
  const {
    agent_id: agentId,
    message_id: messageId,
    timestamp,
    signature_hex: signature,
  } = metadata.darkmatter;
  expect(agentId).toBe(ana.id);
  const signed = { agentId: ana.id, messageId: String(messageId), timestamp: String(timestamp) };
  const text = replyText({ ...signed, response: parts[0].text }) ?? "";
  expect(await createVerifier({ threads: "never" }).verify(ana.id, text, String(signature))).toBe(true);
});

test("what a caller said and was answered stands in the journal, under no agent's key", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  await caller.leave("for the record");
  const [message] = await waiting(ana);
  await ana.tool("respond_message", { message_id: message?.message_id, response: "noted" });
  const acts = ana.journal.events.filter(({ messageId }) => messageId === message?.message_id);
  expect(acts).toMatchObject([
    { act: "message.received", peer: null, fields: { content: "for the record", caller: "a2a:phone" } },
    {
      act: "message.answered",
      peer: null,
      fields: { response: "noted", direction: "outbound", caller: "a2a:phone" },
    },
  ]);
});

test("a task that is canceled is taken back from the agent, and cannot be answered", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const task = await caller.leave("never mind");
  const [message] = await waiting(ana);
  expect(state(await caller.call("CancelTask", { id: task.id }))).toBe("TASK_STATE_CANCELED");
  expect(await waiting(ana)).toEqual([]);
  const late = await ana.tool("respond_message", { message_id: message?.message_id, response: "too late" });
  expect(late).toMatchObject({ success: false });
  expect(state(await caller.call("CancelTask", { id: task.id }))).toBe("TASK_STATE_CANCELED");
  expect(
    await caller.fails("SendMessage", { message: a2aMessage("again", { taskId: task.id }), ...NOW }),
  ).toBe(-32004);
});

test("a task that was answered cannot be canceled", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const task = await caller.leave("quick");
  const [message] = await waiting(ana);
  await ana.tool("respond_message", { message_id: message?.message_id, response: "done" });
  expect(await caller.fails("CancelTask", { id: task.id })).toBe(-32002);
  expect(await caller.fails("SubscribeToTask", { id: task.id })).toBe(-32004);
});

test("a task whose message nobody answered within the inbox's time has failed", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const task = await caller.leave("anybody there?");
  await net.clock.advance(HOUR_MS + 1);
  await ana.job("messages.purge");
  expect(state(await caller.call("GetTask", { id: task.id }))).toBe("TASK_STATE_FAILED");
});

test("one more message to an open task is complete when each of them is answered", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("first");
  expect((await caller.leave("second", { taskId: id })).id).toBe(id);
  const [first, second] = await waiting(ana);
  await ana.tool("respond_message", { message_id: first?.message_id, response: "one" });
  expect(state(await caller.call("GetTask", { id }))).toBe("TASK_STATE_WORKING");
  await ana.tool("respond_message", { message_id: second?.message_id, response: "two" });
  expect(await caller.call("GetTask", { id, historyLength: 1 })).toMatchObject({
    status: { state: "TASK_STATE_COMPLETED" },
    artifacts: [{ parts: [{ text: "one" }] }, { parts: [{ text: "two" }] }],
    history: [{ parts: [{ text: "second" }] }],
  });
});

test("a message that is sent again begins no second task", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const message = a2aMessage("once");
  const { task } = await caller.call("SendMessage", { message, ...NOW });
  const again = await caller.call("SendMessage", { message, ...NOW });
  expect(again.task).toMatchObject({ id: (task as JsonObject).id });
  expect(await waiting(ana)).toHaveLength(1);
  const other = { ...message, parts: [{ text: "something else" }] };
  expect(await caller.fails("SendMessage", { message: other, ...NOW })).toBe(-32602);
});

test("data is passed on as JSON, files are refused", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const send = (parts: object[]) => ({ message: a2aMessage("", { parts }), ...NOW });
  await caller.call("SendMessage", send([{ text: "look" }, { data: { a: [1, 2] } }]));
  expect((await waiting(ana))[0]).toMatchObject({ content: 'look\n\n{"a":[1,2]}' });
  expect(await caller.fails("SendMessage", send([{ text: "x" }, { url: "http://10.0.0.5/secret" }]))).toBe(
    -32005,
  );
  expect(await caller.fails("SendMessage", send([{ raw: "aGk=", mediaType: "image/png" }]))).toBe(-32005);
  expect(await waiting(ana)).toHaveLength(1);
});

test("what is malformed is refused with the protocol's codes, and changes nothing", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const message = a2aMessage("fine");
  const wrong: object[] = [
    {},
    { message: null },
    { message: { ...message, role: "ROLE_AGENT" } },
    { message: { ...message, parts: [] } },
    { message: { ...message, parts: [{}] } },
    { message: { ...message, parts: [{ text: "" }] } },
    { message: { ...message, parts: [{ text: "x".repeat(65_537) }] } },
    { message: { ...message, parts: [{ text: "\ud800" }] } },
    { message: { ...message, messageId: "" } },
    { message: { ...message, messageId: "x".repeat(129) } },
    { message: { ...message, contextId: "a\nb" } },
    { message, configuration: { historyLength: -1 } },
  ];
  for (const params of wrong)
    expect(await caller.fails("SendMessage", params), JSON.stringify(params).slice(0, 80)).toBe(-32602);
  const push = { taskPushNotificationConfig: { url: "http://10.0.0.5/" } };
  expect(await caller.fails("SendMessage", { message, configuration: push })).toBe(-32003);
  expect(await caller.fails("CreateTaskPushNotificationConfig", {})).toBe(-32003);
  expect(await caller.fails("GetExtendedAgentCard", {})).toBe(-32004);
  expect(await caller.fails("message/send", { message })).toBe(-32601);
  expect(await caller.fails("__proto__", {})).toBe(-32601);
  expect(await caller.fails("GetTask", { id: "nowhere" })).toBe(-32001);
  expect(await caller.fails("ListTasks", { pageSize: 101 })).toBe(-32602);
  expect(await waiting(ana)).toEqual([]);
  expect(ana.reports).toEqual([]);
});

test("a body that is no request is told so in JSON-RPC's words", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const { secret } = await a2aCaller(ana);
  const headers = { authorization: `Bearer ${secret}`, "a2a-version": "1.0" };
  const post = async (body: string | Uint8Array) => {
    const answer = await callHandler(ana.handler, { method: "POST", path: "/a2a", headers, body });
    return (answer.json as { error: { code: number } }).error.code;
  };
  expect(await post("{")).toBe(-32700);
  expect(await post("")).toBe(-32700);
  expect(await post(new Uint8Array([0xff, 0xfe, 0x00]))).toBe(-32700);
  expect(await post("[".repeat(100_000))).toBe(-32700);
  expect(await post("[]")).toBe(-32600);
  expect(await post('{"jsonrpc":"1.0","method":"GetTask"}')).toBe(-32600);
  expect(await post('{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[]}')).toBe(-32602);
  const big = await callHandler(ana.handler, {
    method: "POST",
    path: "/a2a",
    headers,
    body: "x".repeat(1024 * 1024 + 1),
  });
  expect(big.status).toBe(413);
});

test("another protocol version, or none, is refused", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  for (const version of ["0.3", "2.0", "", undefined]) {
    const { json } = await caller.ask("ListTasks", {}, { "a2a-version": version });
    expect(json, String(version)).toMatchObject({ id: 1, error: { code: -32009 } });
  }
});

test("tasks are listed page by page, the last changed first", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  for (let at = 0; at < 5; at++) {
    await caller.leave(`task ${at}`, { contextId: at % 2 === 0 ? "even" : "odd" });
    await net.clock.advance(10);
  }
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await caller.call("ListTasks", { pageSize: 2, pageToken });
    expect(page).toMatchObject({ totalSize: 5 });
    const tasks = page.tasks as Array<{ history: [{ parts: [{ text: string }] }]; artifacts?: unknown }>;
    for (const { history, artifacts } of tasks) {
      seen.push(history[0].parts[0].text);
      expect(artifacts).toBeUndefined();
    }
    pageToken = String(page.nextPageToken);
  } while (pageToken !== "");
  expect(seen).toEqual([4, 3, 2, 1, 0].map((at) => `task ${at}`));
  expect(await caller.call("ListTasks", { contextId: "odd" })).toMatchObject({ totalSize: 2 });
  expect(await caller.call("ListTasks", { status: "TASK_STATE_COMPLETED" })).toMatchObject({ totalSize: 0 });
  expect(await caller.call("ListTasks", { status: 1, includeArtifacts: true })).toMatchObject({
    tasks: [{ artifacts: [] }, {}, {}, {}, {}],
  });
});

test("a full inbox and an inactive agent take no message, and what there is can still be asked for", async () => {
  const { net, ana } = await oneNode({ inboxMax: 1 });
  await using _ = net;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("first");
  expect(await caller.fails("SendMessage", { message: a2aMessage("second"), ...NOW })).toBe(-32000);
  await ana.tool("set_status", { status: "inactive" });
  expect(await caller.fails("SendMessage", { message: a2aMessage("third"), ...NOW })).toBe(-32000);
  expect(await caller.call("GetTask", { id })).toMatchObject({ id });
});

test("a message of a caller is passed on to nobody", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo"] });
  await using _ = net;
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const caller = await a2aCaller(ana);
  await caller.leave("between us");
  const [message] = await waiting(ana);
  const passed = await ana.tool("send_message", { message_id: message?.message_id, target_agent_id: bo.id });
  expect(passed).toMatchObject({ success: false, error: expect.stringContaining("by A2A") });
  expect(await waiting(ana)).toHaveLength(1);
  expect(await waiting(bo)).toEqual([]);
});

test("no other agent can put a task in the place of its webhook", async () => {
  const net = await memoryNetwork({ nodes: ["ana", "bo"] });
  await using _ = net;
  const { ana, bo } = net.nodes;
  await net.connect("bo", "ana");
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("mine");
  const [mine] = await waiting(ana);
  const webhook = `a2a:${id}/${mine?.message_id}`;
  const { stranger } = await import("../testing/stranger.ts");
  const eve = stranger(net.clock, net.hosts.bo, { port: 8199 });
  const refused = await eve.post(ana, "message", eve.message({ webhook }));
  expect(refused.status).toBe(400);

  // Even one that got there in some other way is answered nowhere.
  await bo.tool("send_message", { content: "hello", target_agent_id: ana.id });
  const theirs = (await waiting(ana)).find(({ content }) => content === "hello");
  await ana.db.write((tx) =>
    tx.run("UPDATE mesh_inbox SET webhook = ? WHERE message_id = ?", webhook, String(theirs?.message_id)),
  );
  const reply = { message_id: theirs?.message_id, response: "to the wrong one" };
  expect(await ana.tool("respond_message", reply)).toMatchObject({ success: false });
  expect(state(await caller.call("GetTask", { id }))).not.toBe("TASK_STATE_COMPLETED");
});

test("erasing a message takes its words from the task too", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("a secret");
  const [message] = await waiting(ana);
  await ana.tool("respond_message", { message_id: message?.message_id, response: "kept secret" });
  await ana.db.write((tx) => ana.mesh.erase(tx, String(message?.message_id)));
  const task = await caller.call("GetTask", { id });
  expect(JSON.stringify(task)).not.toContain("secret");
  expect(state(task)).toBe("TASK_STATE_COMPLETED");
  expect(await ana.db.write((tx) => ana.mesh.erase(tx, String(message?.message_id)))).toBe(0);
});

test("tasks are forgotten a week after they began, once they are over", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("old news");
  await net.clock.advance(7 * DAY_MS + 1);
  await ana.job("a2a.forget");
  expect((await caller.call("ListTasks", {})).totalSize).toBe(1);
  await ana.job("messages.purge");
  await ana.job("a2a.forget");
  expect(await caller.fails("GetTask", { id })).toBe(-32001);
});

test("what the owner's rules drop fails, and the journal names no agent for it", async () => {
  const { net, ana } = await oneNode({ routerMode: "rules_only" });
  await using _ = net;
  const caller = await a2aCaller(ana);
  const rule = { rule_id: "no-a2a", action: "drop", metadata_key: "a2a" };
  expect(await ana.tool("owner_rules_add", rule, OWNER)).toMatchObject({ success: true });
  const { id } = await caller.leave("unwanted");
  expect(state(await caller.call("GetTask", { id }))).toBe("TASK_STATE_FAILED");
  expect(ana.journal.events.map(({ act, peer }) => [act, peer])).toEqual([
    ["message.received", null],
    ["receipt.given", null],
  ]);
});

test("an answer that a crash left between its task and the inbox is brought to its end, and not given anew", async () => {
  const { net, ana } = await oneNode();
  await using _ = net;
  const caller = await a2aCaller(ana);
  const { id } = await caller.leave("asked once");
  await ana.db.write((tx) => tx.run("UPDATE mesh_inbox SET answer = 'told'"));
  expect(await caller.fails("CancelTask", { id })).toBe(-32002);
  const proof = { first: true };
  const row = ["told", JSON.stringify(proof), net.clock.now()];
  const sql = "UPDATE mesh_a2a_messages SET answer = ?, proof = ?, answered_at_ms = ?";
  await ana.db.write((tx) => tx.run(sql, ...row));
  await ana.job("messages.finish-answers");
  expect(await ana.db.all("SELECT * FROM mesh_inbox")).toEqual([]);
  expect(await caller.call("GetTask", { id })).toMatchObject({
    status: { state: "TASK_STATE_COMPLETED" },
    artifacts: [{ parts: [{ text: "told" }], metadata: { darkmatter: proof } }],
  });
  expect(ana.journal.events.filter(({ act }) => act === "message.answered")).toHaveLength(1);
});
