import assert from "node:assert/strict";
import { type StreamResponse, type Task, TaskState } from "@a2a-js/sdk";
import type { Client } from "@a2a-js/sdk/client";
import { createVerifier, replyText } from "@darkmatter/identity";
import { stdioAgent } from "../agents.ts";
import { type Checks, sleep, until } from "../checks.ts";
import { createWorld, freePorts, type Home, type NodeProcess, type World } from "../world.ts";
import { answersOf, leave, leaving, officialClient, verifiedCard } from "./client.ts";
import { checkHelper } from "./helper.ts";
import { requireProven } from "./proof.ts";
import { checkBodies, checkCardAddress, checkReadme } from "./raw.ts";

const QUESTION = "Which berth is free on Tuesday?";
const ANSWER = "Berth 4, until noon.";

interface Place {
  readonly world: World;
  readonly home: Home;
  node: NodeProcess;
  token: string;
}

/** An ordinary A2A client leaves messages with an agent that sleeps, and gets the answers later. */
export async function runA2a(checks: Checks): Promise<void> {
  await using world = createWorld();
  const [port = 0] = await freePorts(1);
  const home = world.home("ana", port);
  const place: Place = { world, home, node: await world.up(home), token: "" };
  if (!(await checkToken(checks, place))) return;
  await checkCardAddress(checks, place);
  await checkSleeping(checks, place);
  await checkMeanwhile(checks, place);
  await checkProof(checks, place);
  await checkRefusals(checks, place);
  await checkBodies(checks, place);
  await checkReadme(checks, place);
  await checkHelper(checks, world);
}

/** A token as the owner gets it from the command. */
async function issued({ world, home }: Place, name: string, ...options: readonly string[]): Promise<string> {
  const { code, json, stderr } = await world.command(home, "a2a", "token", "issue", name, ...options);
  assert.equal(code, 0, stderr || JSON.stringify(json));
  return json.token;
}

async function checkToken({ check }: Checks, place: Place): Promise<boolean> {
  const { world, home, node } = place;
  const isIssued = await check("a2a: the owner issues a token, which is shown once", async () => {
    place.token = await issued(place, "phone", "--ttl", "1d");
    const { json } = await world.command(home, "a2a", "token", "list");
    assert.deepEqual(
      json.tokens.map(({ name }: { name: string }) => name),
      ["phone"],
    );
    assert.ok(!JSON.stringify(json).includes(place.token));
  });
  const isSigned = await check(
    "a2a: the card is signed by the passport, for the official client",
    async () => {
      const card = await verifiedCard(node.url, node.agentId);
      assert.equal(card.name, "ana");
      assert.deepEqual(
        card.supportedInterfaces.map(({ url, protocolVersion }) => [url, protocolVersion]),
        [
          [`${node.url}/a2a`, "1.0"],
          [`${node.url}/a2a`, "1.0"],
        ],
      );
    },
  );
  return isIssued && isSigned;
}

const stateOf = ({ status }: Pick<Task, "status">): TaskState | undefined => status?.state;

async function checkSleeping({ check }: Checks, place: Place): Promise<void> {
  const { world, home } = place;
  let client = await officialClient(place.node.url, place.token);
  let id = "";
  await check("a2a: a message to a sleeping agent is a task that waits", async () => {
    const task = await leave(client, QUESTION);
    id = task.id;
    assert.equal(stateOf(task), TaskState.TASK_STATE_SUBMITTED);
    assert.equal(stateOf(await client.getTask({ tenant: "", id })), TaskState.TASK_STATE_SUBMITTED);
  });
  await check("a2a: a node that was killed and started again has lost nothing", async () => {
    await place.node.kill();
    place.node = await world.up(home);
    client = await officialClient(place.node.url, place.token);
    assert.equal(stateOf(await client.getTask({ tenant: "", id })), TaskState.TASK_STATE_SUBMITTED);
  });
  await check(
    "a2a: later a session of the agent answers, and the client gets the answer, signed",
    async () => {
      const agent = await stdioAgent(world, home, "2.x modern");
      try {
        const { messages } = await agent.ask("list_inbox");
        assert.equal(messages[0].from_agent_id, "a2a:phone");
        assert.equal(messages[0].content, QUESTION);
        assert.equal(stateOf(await client.getTask({ tenant: "", id })), TaskState.TASK_STATE_WORKING);
        await agent.ask("respond_message", { message_id: messages[0].message_id, response: ANSWER });
      } finally {
        await agent.close();
      }
      const task = await client.getTask({ tenant: "", id });
      assert.equal(stateOf(task), TaskState.TASK_STATE_COMPLETED);
      assert.deepEqual(answersOf(task), [ANSWER]);
      await requireSigned(task, place.node.agentId);
    },
  );
}

/** The answer's signature is the agent's, over the answer's own text. */
async function requireSigned({ artifacts }: Task, agentId: string): Promise<void> {
  const proof = artifacts[0]?.metadata?.darkmatter;
  const fields = { agentId, messageId: proof.message_id, timestamp: proof.timestamp };
  const verifier = createVerifier({ threads: "never" });
  const isSigned = (response: string) =>
    verifier.verify(agentId, replyText({ ...fields, response }) ?? "", proof.signature_hex);
  assert.equal(await isSigned(ANSWER), true);
  assert.equal(await isSigned(`${ANSWER}!`), false);
}

/** Answers the one message of the inbox by the command. */
async function replied({ world, home }: Place, text: string): Promise<string> {
  const id = await until("the message is in the inbox", async () => {
    const { json } = await world.command(home, "inbox");
    return json.messages[0]?.message_id as string | undefined;
  });
  const { code, json } = await world.command(home, "reply", id, text);
  assert.equal(code, 0, JSON.stringify(json));
  return id;
}

async function checkMeanwhile({ check }: Checks, place: Place): Promise<void> {
  const rpc = await officialClient(place.node.url, place.token);
  const rest = await officialClient(place.node.url, place.token, "HTTP+JSON");
  for (const [name, client] of [
    ["JSON-RPC", rpc],
    ["HTTP+JSON", rest],
  ] as const) {
    await check(`a2a: by ${name}, whoever subscribes hears the answer as it comes`, () =>
      subscribed(place, client),
    );
    await check(`a2a: by ${name}, whoever streams hears it too, and a cancelled task ends`, async () => {
      const events = client.sendMessageStream(leaving("streamed"))[Symbol.asyncIterator]();
      const first = (await events.next()).value as StreamResponse;
      assert.equal(first.payload?.$case, "task");
      const { id } = first.payload.value as Task;
      await client.cancelTask({ tenant: "", id, metadata: undefined });
      const last = (await events.next()).value as StreamResponse;
      assert.equal(last.payload?.$case, "statusUpdate");
      assert.equal(stateOf(last.payload.value), TaskState.TASK_STATE_CANCELED);
      assert.equal((await events.next()).done, true);
    });
    await check(`a2a: by ${name}, whoever waits gets the answer in the answer`, async () => {
      const waiting = leave(client, "How deep is it?", { wait: true });
      await replied(place, "Four metres.");
      const task = await waiting;
      assert.equal(stateOf(task), TaskState.TASK_STATE_COMPLETED);
      assert.deepEqual(answersOf(task), ["Four metres."]);
      const { tasks } = await client.listTasks(listing());
      assert.ok(tasks.some(({ id }) => id === task.id));
    });
  }
}

const listing = () => ({
  tenant: "",
  contextId: "",
  status: TaskState.TASK_STATE_UNSPECIFIED,
  pageToken: "",
  statusTimestampAfter: undefined,
});

async function subscribed(place: Place, client: Client): Promise<void> {
  const { id } = await leave(client, "Who is on watch?");
  const kinds: string[] = [];
  const heard: string[] = [];
  const reading = (async () => {
    for await (const { payload } of client.resubscribeTask({ tenant: "", id })) {
      kinds.push(payload?.$case ?? "");
      if (payload?.$case === "artifactUpdate" && payload.value.artifact)
        heard.push(...answersOf({ artifacts: [payload.value.artifact] }));
    }
  })();
  await until("the stream is open", () => kinds.length > 0);
  await replied(place, "Bo, till six.");
  await reading;
  assert.deepEqual(heard, ["Bo, till six."]);
  assert.equal(kinds[0], "task");
  assert.equal(kinds.at(-1), "statusUpdate");
}

async function checkProof({ check }: Checks, place: Place): Promise<void> {
  const { world, home } = place;
  await check("a2a: darkmatter verify proves the day of such a message from its export", async () => {
    const client = await officialClient(place.node.url, place.token);
    await leave(client, "For the record?");
    const id = await replied(place, "For the record.");
    await requireProven(world, home, id);
  });
}

async function checkRefusals({ check }: Checks, place: Place): Promise<void> {
  const { world, home, node } = place;
  const status = async (token: string) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ListTasks", params: {} });
    const headers = { authorization: `Bearer ${token}`, "a2a-version": "1.0" };
    const answer = await fetch(`${node.url}/a2a`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return [answer.status, answer.headers.get("www-authenticate")?.startsWith("Bearer") ?? false];
  };
  await check("a2a: a wrong, an expired and a revoked token open nothing", async () => {
    const short = await issued(place, "short", "--ttl", "1s");
    const revoked = await issued(place, "revoked");
    assert.deepEqual(await status(revoked), [200, false]);
    assert.equal((await world.command(home, "a2a", "token", "revoke", "revoked")).code, 0);
    await sleep(1100);
    assert.deepEqual(await status(short), [401, true]);
    assert.deepEqual(await status(revoked), [401, true]);
    assert.deepEqual(await status(`${place.token}x`), [401, true]);
    assert.deepEqual(await status(place.token), [200, false]);
  });
  await check("a2a: what another token left is nobody else's", async () => {
    const other = await officialClient(node.url, await issued(place, "tablet"));
    const mine = await leave(await officialClient(node.url, place.token), "mine");
    await assert.rejects(other.getTask({ tenant: "", id: mine.id }), /not found/i);
    assert.deepEqual((await other.listTasks(listing())).tasks, []);
  });
}
