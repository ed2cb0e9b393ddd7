import type { Json, JsonObject } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { healer } from "@darkmatter/mesh/testing";
import { baseUrl } from "@darkmatter/net";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import { type Call, openWorld, type Reply, type World } from "./world.ts";

const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const SEED = "09".repeat(32);
const SELF = {
  private_key_hex: SEED,
  agent_id: createSigner(SEED).agentId,
  display_name: "seeker",
  bio: "",
  created_at: "2026-01-01T00:00:00+00:00",
  public_url: "http://127.0.0.1:8150",
};

interface LookupCase {
  readonly name: string;
  readonly target: string;
  readonly connections: readonly JsonObject[];
  readonly impressions: JsonObject;
  /** Agent id to the URL it names. */
  readonly peer_answers: Readonly<Record<string, string | null>>;
  /** Anchor to the URL it names. */
  readonly anchor_answers: Readonly<Record<string, string | null>>;
  readonly exclude: readonly string[];
  readonly result: string | null;
  readonly asked: readonly string[];
}

/** Whom a node asks where an agent is, and whom it believes (mesh.md 9.3). */
export async function* peerLookup(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: readonly LookupCase[] };
  for (const one of cases) yield ran(one.name, (found) => lookUp(found, one));
}

async function lookUp(found: Findings, one: LookupCase): Promise<void> {
  const byBase = new Map(
    one.connections.map((peer) => [baseUrl(String(peer.agent_url)), String(peer.agent_id)]),
  );
  const reply = ({ url }: Call): Reply | undefined => {
    const base = url.slice(0, url.indexOf("/__darkmatter__/"));
    const named = one.peer_answers[byBase.get(base) ?? ""] ?? one.anchor_answers[base];
    return named ? { status: 200, body: { agent_id: one.target, url: named } } : { status: 404, body: {} };
  };
  await using world = await worldOf(one.connections, one.impressions, reply);
  const { asking } = healer({ ...world, db: world.node.db, anchors: Object.keys(one.anchor_answers) });
  const places = await asking.where(one.target, new Set(one.exclude.map(baseUrl)));
  found.equal("result", places[0]?.url ?? null, one.result);
  found.like(
    "asked",
    world.takeCalls().map(({ url }) => url),
    [...one.asked],
  );
}

interface RecoveryCase {
  readonly name: string;
  readonly webhook: string;
  readonly from_agent_id: string;
  /** What each look brings. */
  readonly lookup_answers: ReadonlyArray<string | null>;
  /** Beginnings of URLs where nobody listens. */
  readonly down: readonly string[];
  readonly result: { readonly status?: number; readonly error?: string };
  readonly requests: ReadonlyArray<{ readonly method: string; readonly url: string }>;
}

/** How a callback follows an agent that has moved (mesh.md 7.4). */
export async function* webhookRecovery(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: readonly RecoveryCase[] };
  for (const one of cases) yield ran(one.name, (found) => recover(found, one));
}

async function recover(found: Findings, one: RecoveryCase): Promise<void> {
  const asked = [
    ...new Set(
      requestsOf(one)
        .filter(isLook)
        .map(({ url }) => url.slice(0, url.indexOf("/__"))),
    ),
  ];
  const tellers = asked.length > 0 ? asked : ["http://127.0.0.1:8131", "http://127.0.0.1:8132"];
  const looked = new Map<string, number>();
  const reply = ({ url }: Call): Reply | undefined => {
    if (one.down.some((start) => url.startsWith(start))) return undefined;
    if (url.endsWith("/.well-known/darkmatter.json")) {
      return { status: 200, body: { darkmatter: true, agent_id: one.from_agent_id } };
    }
    return isLook({ url })
      ? { status: 200, body: { url: answerTo(url) } }
      : { status: 200, body: { success: true } };
  };
  // The wire looks whether somebody listens before it asks: the same look, asked twice.
  const answerTo = (url: string) => one.lookup_answers[Math.floor((looked.get(url) ?? 0) / 2)] ?? null;
  const counting = (call: Call) => {
    const answer = reply(call);
    if (isLook(call)) looked.set(call.url, (looked.get(call.url) ?? 0) + 1);
    return answer;
  };
  const connections = tellers.map((url, at) => ({ agent_id: `${at + 1}`.repeat(64), agent_url: url }));
  await using world = await worldOf(connections, {}, counting);
  const { recovery } = healer({ ...world, db: world.node.db });
  const call = { method: "POST", timeoutMs: 10_000, reach: "private", body: "{}" } as const;
  const outcome = await recovery
    .recovering(one.webhook, one.from_agent_id, (url) => world.wire.request({ ...call, url }))
    .then(
      ({ status }) => ({ status }),
      () => ({ error: "ConnectError" }),
    );
  found.like("result", outcome as JsonObject, one.result as JsonObject);
  const line = ({ method, url }: { method: string; url: string }) => `${method} ${url}`;
  // That the agent is there is confirmed first, which the reference leaves out.
  const made = world.takeCalls().filter(({ url }) => !url.endsWith("/.well-known/darkmatter.json"));
  found.like("requests", made.map(line), requestsOf(one).map(line));
}

/** Nobody is asked about a path that could not be kept, and nothing posted where no document names the agent. */
function requestsOf({ webhook, requests, down }: RecoveryCase) {
  if (!webhook.includes("/__darkmatter__/webhook")) return requests.slice(0, 1);
  const isDown = (url: string) => url !== webhook && down.some((start) => url.startsWith(start));
  return requests.filter(({ url }) => !isDown(url));
}

const isLook = ({ url }: { readonly url: string }) => url.includes("/peer_lookup/");

function worldOf(
  connections: readonly JsonObject[],
  impressions: JsonObject,
  reply: (call: Call) => Reply | undefined,
): Promise<World> {
  return openWorld({ setup: { node: SELF, connections, impressions }, nowMs: NOW_MS, reply });
}
