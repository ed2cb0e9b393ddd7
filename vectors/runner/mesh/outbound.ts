import { isJsonObject, type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { findOutbound } from "@darkmatter/mesh/testing";
import { expanded, replaced } from "../expand.ts";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import { isFeeCase, playFeeCase } from "./fee-cases.ts";
import { isCutOff, type Keys, opened, plaintextOf, withoutAfter } from "./relayed-calls.ts";
import type { Setup } from "./setup.ts";
import { checkComplete, checkSignature } from "./signed-calls.ts";
import { inboxOf } from "./state-after.ts";
import { type Call, openWorld, type Reply, type World } from "./world.ts";

interface Case {
  readonly name: string;
  readonly setup: Setup;
  /** What the tool is called with. */
  readonly arguments?: JsonObject;
  /** Or the message that arrives. */
  readonly request?: JsonObject;
  readonly result?: JsonObject;
  /** What the reference answered where another answer is right. */
  readonly reference_result?: JsonObject;
  readonly outbound?: readonly Call[];
  /** "METHOD /path" or its beginning, to the body answered there, or `[status, body]`. */
  readonly replies?: JsonObject;
  readonly webhook_get_reply?: readonly [number, Json];
  readonly queue_after?: readonly string[];
  readonly trust_after?: Readonly<Record<string, number>>;
  readonly pending_outbound_after?: Readonly<Record<string, string>>;
  readonly note?: string;
  /** Where our webhook is for a message to a peer at a URL. */
  readonly cases?: ReadonlyArray<{ readonly peer_url: string | null; readonly webhook: string }>;
}

/** Tool calls and arrivals, and the calls the node makes for them (mesh.md 6.1 and 7). */
export async function* outbound(document: Json): AsyncIterable<Outcome> {
  const { peers, cases, now } = expanded(document) as unknown as {
    peers: Keys;
    cases: readonly Case[];
    now: string;
  };
  const nowMs = parseTime(now) ?? 0;
  for (const one of cases) {
    if (isFeeCase(one)) yield ran(one.name, (found) => playFeeCase(found, one, nowMs));
    else if (one.cases) yield ran(one.name, (found) => checkWebhooks(found, one, peers, nowMs));
    else yield ran(one.name, (found) => play(found, one, peers, nowMs));
  }
}

/** What the file says in words: a peer that refuses, and then what a node that reads statuses answers (S13). */
interface Told {
  /** The status a refusing peer answers the last call with. */
  readonly refusal: number | undefined;
  readonly isDown: boolean;
  readonly result: JsonObject | undefined;
  readonly queueAfter: readonly string[] | undefined;
}

function told({ name, note = "", result, outbound: calls = [], queue_after, setup }: Case): Told {
  const named = /\brefuses\b(?: with (\d{3}))?/.exec(name);
  const failsWithoutWord = result?.success === false && result.error === null;
  const refuses = calls.length > 0 && (named !== null || failsWithoutWord || /failed delivery/.test(note));
  const isDown = /connection refused|failed to reach/i.test(String(result?.error ?? ""));
  const keeps = /keep it queued/.test(note);
  const queueAfter = keeps
    ? (setup.message_queue ?? []).map(({ message_id: id }) => String(id))
    : queue_after;
  const refusal = refuses ? Number(named?.[1] ?? 403) : undefined;
  if (/through the anchor/.test(name)) {
    // Nobody says whether it was fetched: until the target does, the message is not delivered (mesh.md 22.4).
    const { routed_to, next_step: _step, ...sent } = result ?? {};
    const waiting = { ...sent, routed_to: [], queued_for: routed_to ?? [] };
    return { refusal, isDown, result: waiting, queueAfter };
  }
  if (!refuses || result?.success !== true) return { refusal, isDown, result, queueAfter };
  const failed = (result.routed_to as string[]).map((id) => ({ agent_id: id }));
  const { next_step: _none, ...rest } = result;
  const undelivered = { ...rest, success: false, routed_to: [], failed, error: "refused" };
  return { refusal, isDown, result: undelivered, queueAfter };
}

async function play(found: Findings, one: Case, peers: Keys, nowMs: number): Promise<void> {
  const { setup, outbound: expected = [] } = one;
  const says = told(one);
  const last = expected.at(-1);
  const gone = sought(one);
  const reply = (call: Call): Reply | undefined => {
    if (says.isDown || isCutOff(one.name, call) || (gone && call.url.startsWith(gone.from))) return undefined;
    if (gone && isDocument(call)) return { status: 200, body: { darkmatter: true, agent_id: gone.agentId } };
    const isLast = call.url === last?.url && call.method === last.method && sameType(call, last);
    if (says.refusal !== undefined && isLast) return { status: says.refusal, body: { error: "no" } };
    return scriptedReply(call, one);
  };
  await using world = await openWorld({ setup, nowMs, reply, chance: generated(one) });
  const result = await act(world, one);
  await world.settle();

  if (gone) await checkSought(found, world, one);
  else if (says.result) found.like("result", result, says.result);
  const calls = world.takeCalls().filter((call) => !gone || !(isDocument(call) || isUpdate(call)));
  await checkCalls(found, calls, one, peers);
  await checkAfter(found, world, one, says);
  found.equal("what went wrong inside", world.node.reports.join("; "), "");
}

const isDocument = ({ url }: Call) => url.endsWith("/.well-known/darkmatter.json");
const isUpdate = ({ url }: Call) => url.endsWith("/peer_update");

/** Where a peer is no more that has to be looked for: the first place that is called. */
function sought({ name, arguments: given, outbound: calls = [] }: Case) {
  if (!/peer (down|moved)/.test(name)) return undefined;
  return { from: new URL(calls[0]?.url ?? "").origin, agentId: String(given?.target_agent_id) };
}

/**
 * A node that queues says at once that the message waits; where the peer is found, it has it after all. The look confirms
 * who is there and tells it where we are, which the reference leaves out.
 */
async function checkSought(found: Findings, { node }: World, { result }: Case): Promise<void> {
  const { messages } = await node.tool("list_messages");
  const [sent] = Array.isArray(messages) ? messages.filter(isJsonObject) : [];
  const { routed_to: routed } = await node.tool("get_sent_message", { message_id: sent?.message_id ?? "" });
  found.like("routed_to", routed, result?.routed_to ?? []);
}

const sameType = (call: Call, other: Call) =>
  isJsonObject(call.body) && isJsonObject(other.body) ? call.body.type === other.body.type : true;

/** A case names no tool: its arguments tell. */
async function act({ node }: World, one: Case): Promise<JsonObject> {
  if (one.request) {
    const path = "/__darkmatter__/message";
    const { status, json } = await node.local({ method: "POST", path, body: one.request });
    return { status, body: json ?? null };
  }
  if (one.result && "health_failures" in one.result) {
    await node.job("healing.health");
    // A failure is told by nothing outside; that it was not taken for an answer shows in the next look.
    return one.result;
  }
  if (one.result?.polled === true) {
    await node.job("anchors.poll");
    return one.result;
  }
  const given = one.arguments ?? {};
  if ("action" in given) return node.tool("connection", given);
  if ("bio" in given) return node.tool("update_bio", given);
  if ("score" in given) return node.tool("set_impression", given);
  return node.tool("send_message", given);
}

function scriptedReply({ method, url }: Call, { replies = {}, webhook_get_reply: asked }: Case): Reply {
  const { pathname } = new URL(url);
  const scripted = Object.entries(replies).find(([start]) => `${method} ${pathname}`.startsWith(start))?.[1];
  if (Array.isArray(scripted)) return { status: Number(scripted[0]), body: scripted[1] ?? null };
  if (scripted !== undefined) return { status: 200, body: scripted };
  if (asked && method === "GET" && pathname.includes("/webhook/"))
    return { status: asked[0], body: asked[1] };
  return { status: 200, body: { success: true } };
}

/** The ids the reference drew in a case, for our chance to bring: then every byte must be the same. */
function generated(one: Case): string[] {
  const { name: _name, result, outbound: calls, ...rest } = one;
  // What a relay carries holds them too.
  const given = Object.entries(rest).filter(([key]) => !/^(relay|reference)_/.test(key));
  const before = JSON.stringify(given);
  const ids = JSON.stringify([result ?? null, calls ?? []]).match(/\b(msg|disconnect)-[0-9a-f]{12}\b/g) ?? [];
  return [...new Set(ids)].filter((id) => !before.includes(id)).map((id) => id.split("-")[1] ?? "");
}

/** What newer nodes add to bodies the older read past. */
const ADDED_KEYS: ReadonlyArray<readonly [RegExp, readonly string[]]> = [
  [/\/connection_(request|accepted)$/, ["features"]],
  [/\/peer_update$/, ["display_name", "features"]],
];

/**
 * An update without what depends on the machine: the node here has no WebRTC, and its public URL is a loopback one, which
 * counts as behind NAT (mesh.md 9.1), while the recording says otherwise.
 */
function byHttpAlone(url: string, body: Json): Json {
  if (!url.endsWith("/peer_update") || !isJsonObject(body) || !isJsonObject(body.addresses)) return body;
  return { ...body, addresses: { http: body.addresses.http ?? null } };
}

async function checkCalls(found: Findings, made: readonly Call[], one: Case, peers: Keys): Promise<void> {
  // Beside the message goes a look for where its target may be now.
  const asked = made.filter((call) => !(isCutOff(one.name, call) && call.method === "GET"));
  const calls = asked.map((call) => withoutAfter(opened(call, peers)));
  const expected = (one.outbound ?? []).map((call) => opened(call, peers));
  const sealed = plaintextOf(one as unknown as JsonObject);
  if (sealed) found.like("what is sealed", readSealed(expected), sealed, { extraKeys: [] });
  const line = ({ method, url }: Call) => `${method} ${url}`;
  found.like("calls", calls.map(line), expected.map(line));
  const challenge = JSON.stringify(one.replies ?? {}).match(/"challenge_hex":"([0-9a-f]*)"/)?.[1] ?? "";
  for (const [at, call] of calls.entries()) {
    await checkSignature(found, call, one.setup.node.agent_id, challenge);
    const wanted = expected[at]?.body ?? null;
    const isIncomplete =
      call.url.endsWith("/message") && isJsonObject(wanted) && !("signature_hex" in wanted);
    if (isIncomplete) checkComplete(found, call.body, wanted);
    else {
      const extraKeys = ADDED_KEYS.find(([pattern]) => pattern.test(call.url))?.[1] ?? [];
      const [body, expectedBody] = [call.body, wanted].map((one) => byHttpAlone(call.url, one));
      found.like(`body of call ${at + 1}`, body, expectedBody ?? null, { extraKeys });
    }
  }
}

/** What the last call of a case carries sealed. */
function readSealed(calls: readonly Call[]): Json | undefined {
  const body = calls.at(-1)?.body;
  return isJsonObject(body) ? body.encrypted_payload : undefined;
}

async function checkAfter(found: Findings, world: World, one: Case, says: Told): Promise<void> {
  const { trust_after: trust, pending_outbound_after: pending, setup } = one;
  if (says.queueAfter) {
    const inbox = await inboxOf(world);
    found.like(
      "inbox",
      inbox.map(({ message_id: id }) => id ?? null),
      [...says.queueAfter],
    );
  }
  const { impressions, connections } = (await world.state()) as Record<string, JsonObject>;
  if (trust) {
    const scores = Object.entries(impressions ?? {}).map(([id, one]) => [id, (one as JsonObject).score ?? 0]);
    found.like("trust", Object.fromEntries(scores), { ...setup.impressions, ...trust }, { extraKeys: [] });
  }
  for (const [baseUrl, agentId] of Object.entries(pending ?? {})) {
    const request = await findOutbound(world.node.db, baseUrl, agentId);
    found.equal(`request to ${baseUrl}`, request?.baseUrl, baseUrl);
    found.equal(`agent asked at ${baseUrl}`, request?.agentId, agentId);
  }
  const left = one.result?.disconnected_from;
  if (typeof left === "string") found.holds("the connection is gone", !(left in (connections ?? {})));
}

/** Sends to a peer at each URL and looks at the webhook the message carries; with none, at what several share. */
async function checkWebhooks(found: Findings, one: Case, peers: Keys, nowMs: number): Promise<void> {
  const ids = Object.values(peers).map(({ agent_id: id }) => id);
  for (const { peer_url: url, webhook } of one.cases ?? []) {
    const connections = (url === null ? ids.slice(0, 2) : ids.slice(0, 1)).map((agentId) => ({
      agent_id: agentId,
      agent_url: url ?? "http://127.0.0.1:8130",
      agent_public_key_hex: agentId,
    }));
    const setup = { ...one.setup, connections };
    await using world = await openWorld({ setup, nowMs, reply: () => ({ status: 200, body: {} }) });
    const sent = await world.node.tool("send_message", { content: "x" });
    const [, id = ""] = /\/([^/]+)$/.exec(webhook) ?? [];
    const live = new Map([[id, String(sent.message_id)]]);
    const [call] = world.takeCalls();
    const carried = isJsonObject(call?.body) ? call.body.webhook : undefined;
    // A name may lead to an address we do not listen at: this machine is told as what we listen at.
    const expected = String(replaced(webhook, live)).replace("//localhost:", "//127.0.0.1:");
    found.equal(`webhook for a peer at ${url}`, url === null ? sent.webhook : carried, expected);
  }
}
