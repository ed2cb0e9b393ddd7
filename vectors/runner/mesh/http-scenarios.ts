import { isJsonObject, type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { challengeText, createSigner, messageText, signText } from "@darkmatter/identity";
import { expanded, replaced } from "../expand.ts";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import { laterScenario } from "./left-out.ts";
import { type Aftermath, checkStateAfter } from "./state-after.ts";
import { type Answer, betterThan, ruledAnswer } from "./weakness.ts";
import { type Call, openWorld, type Reply, type Setup, type World } from "./world.ts";

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
  readonly raw_body?: string;
}

interface Step {
  readonly label?: string;
  readonly now: string;
  /** Left out where it is one of many alike: the label says which. */
  readonly request?: Request;
  readonly response: Answer & {
    /** Generated values: these only have to fit. */
    readonly match_regex?: Readonly<Record<string, string>>;
  };
  readonly outbound?: readonly Call[];
  readonly reference_weakness?: string;
}

interface Scenario {
  readonly name: string;
  readonly setup: Setup;
  readonly steps: readonly Step[];
  readonly state_after?: JsonObject;
  readonly peer_trust_recorded?: JsonObject;
}

type Peers = Readonly<Record<string, { readonly private_key_hex: string; readonly agent_id: string }>>;

/** Requests to one node, one after another, and its answers (mesh.md 5). */
export async function* httpScenarios(document: Json): AsyncIterable<Outcome> {
  const { peers, scenarios } = expanded(document) as unknown as {
    peers: Peers;
    scenarios: ReadonlyArray<Scenario>;
  };
  for (const scenario of scenarios) {
    const reason = laterScenario(scenario as unknown as JsonObject);
    if (reason) yield { kind: "left out", name: scenario.name, reason };
    else yield ran(scenario.name, (found) => play(found, scenario, peers));
  }
}

/** What is known while a scenario is played. */
interface Play {
  readonly scenario: Scenario;
  readonly world: World;
  readonly peers: Peers;
  /** Generated values of the file, and those that stand for them here. */
  readonly live: Map<string, string>;
  /** Challenges of the file, and ours. */
  readonly challenges: Map<string, string>;
  readonly proved: Set<string>;
  /** How many requests alike were made before. */
  alike: number;
  /** Messages the node rightly queued and the reference did not: those after them stand further back. */
  queuedMore: number;
  peerTrust: Json | undefined;
}

async function play(found: Findings, scenario: Scenario, peers: Peers): Promise<void> {
  const { setup, steps } = scenario;
  const nowMs = parseTime(steps[0]?.now ?? "") ?? 0;
  const reply = (call: Call) => peersReply(call, scenario);
  await using world = await openWorld({ setup, nowMs, reply });
  const live = new Map<string, string>();
  const challenges = new Map<string, string>();
  const state: Play = {
    ...{ scenario, world, peers, live, challenges, proved: new Set<string>() },
    alike: 0,
    queuedMore: 0,
    peerTrust: undefined,
  };

  for (const [at, step] of steps.entries()) {
    const what = `step ${at + 1}${step.label ? ` (${step.label})` : ""}`;
    const here: Findings = {
      wrong: (problem) => found.wrong(`${what}: ${problem}`),
      holds: (claim, ok) => found.holds(`${what}: ${claim}`, ok),
      equal: (claim, ...values) => found.equal(`${what}: ${claim}`, ...values),
      like: (claim, ...values) => found.like(`${what}: ${claim}`, ...values),
    };
    await playStep(here, step, state);
  }
  await checkAfter(found, state);
}

async function playStep(found: Findings, step: Step, state: Play): Promise<void> {
  const { world, live } = state;
  await world.setNow(parseTime(step.now) ?? 0);
  const recorded = step.request ?? (await alikeRequest(found, step, state));
  if (!recorded) return found.wrong("says neither its request nor that it is one of many alike");
  const request = liveRequest(recorded, state);
  const expected = (await expectedAnswer(found, step, request, state)) ?? step.response;

  const answer = await send(request, state);
  found.equal("status", answer.status, expected.status);
  if (answer.status === expected.status) {
    if (typeof expected.body === "string") found.equal("text", answer.text.trim(), expected.body);
    else {
      const patterns = step.response.match_regex ?? {};
      const wanted = movedBack(replaced(expected.body, live), state.queuedMore);
      found.like("answer", answer.json, wanted, { patterns });
      learn(step, answer.json, state);
    }
  }
  if (answer.status < 300) noteProof(request, state);
  const isQueued = isJsonObject(expected.body) && expected.body.queued === true;
  if (isQueued && step.response.status >= 400) state.queuedMore++;
  await world.settle();
  checkCalls(found, step, world.takeCalls(), live);
  if (state.scenario.peer_trust_recorded) state.peerTrust = await recordedTrust(state);
}

function movedBack(body: Json, count: number): Json {
  const isPlaced = isJsonObject(body) && typeof body.queue_position === "number";
  return isPlaced ? { ...body, queue_position: Number(body.queue_position) + count } : body;
}

/** What the node should answer: as recorded, but for what the file or mesh.md calls a weakness. */
async function expectedAnswer(
  found: Findings,
  step: Step,
  request: Request,
  state: Play,
): Promise<Answer | undefined> {
  const ruled = ruledAnswer(request.path);
  if (ruled) return ruled;
  if (step.reference_weakness === undefined) return step.response;
  const better = betterThan(step.reference_weakness, step.response, request.body ?? {});
  if (!better) {
    found.wrong(`nothing here knows what is better than: ${step.reference_weakness}`);
    return undefined;
  }
  if (better.refuseFirst) {
    const { change, remote } = better.refuseFirst;
    const refused = await send({ ...request, body: change(request.body ?? {}) }, state, remote);
    found.equal("status of the request that must be refused", refused.status, 403);
  }
  return better.answer;
}

/** A step that sends its own Host is one where no public URL is configured. */
async function send(request: Request, { world, scenario }: Play, remote?: string) {
  const { method, path, headers = {}, body, raw_body: raw } = request;
  const { public_url: publicUrl } = scenario.setup.node;
  world.node.configure({ publicUrl: "host" in headers ? undefined : `${publicUrl}/` });
  const sent = raw ?? body;
  return world.node.local({
    method,
    path,
    headers,
    ...(sent !== undefined && { body: sent }),
    ...(remote !== undefined && { remote }),
  });
}

/** The request with generated values replaced by the live ones; a proof of a challenge is made anew by its signer. */
function liveRequest(request: Request, state: Play): Request {
  const live = replaced(request as unknown as Json, state.live) as unknown as Request;
  const proof = request.body?.proof_hex;
  if (!live.body || typeof proof !== "string") return live;
  return { ...live, body: { ...live.body, proof_hex: liveProof(proof, state) } };
}

function liveProof(proof: string, { challenges, peers }: Play): string {
  for (const [recorded, live] of challenges) {
    for (const { private_key_hex: key } of Object.values(peers)) {
      const signer = createSigner(key);
      // Ed25519 is deterministic: whoever makes these bytes made them.
      if (signText(signer, challengeText(recorded)) === proof) return signText(signer, challengeText(live));
    }
  }
  return proof;
}

/** Keeps what the node generated in place of what the file holds. */
function learn(step: Step, answer: Json | undefined, { live, challenges }: Play): void {
  const { body, match_regex: patterns = {} } = step.response;
  if (!isJsonObject(answer) || !isJsonObject(body)) return;
  for (const key of Object.keys(patterns)) {
    const [recorded, actual] = [body[key], answer[key]];
    if (typeof recorded !== "string" || typeof actual !== "string") continue;
    live.set(recorded, actual);
    if (key === "challenge_hex") challenges.set(recorded, actual);
  }
}

function noteProof({ path, body }: Request, { proved }: Play): void {
  const id = body?.from_agent_id ?? body?.agent_id;
  const isProof = /\/(message|connection_proof|peer_update)$/.test(path);
  if (isProof && typeof id === "string") proved.add(id);
}

/**
 * "request 31": of that many requests alike only this is listed, so the ones before it are made here. They are
 * broadcasts or messages, as the answers tell, of the first agent that has no limit of its own.
 */
async function alikeRequest(found: Findings, step: Step, state: Play): Promise<Request | undefined> {
  const [, which] = /^request (\d+)$/.exec(step.label ?? "") ?? [];
  const sender = state.scenario.setup.connections.find((one) => !("rate_limit" in one));
  const peer = Object.values(state.peers).find(({ agent_id: id }) => id === sender?.agent_id);
  if (which === undefined || !sender || !peer) return undefined;
  const next = () => alikeMessage(++state.alike, peer.private_key_hex, sender, step.now);
  while (state.alike + 1 < Number(which)) {
    const { status } = await send(next(), state);
    found.equal(`status of request ${state.alike}`, status, 200);
  }
  return next();
}

function alikeMessage(count: number, key: string, sender: JsonObject, timestamp: string): Request {
  const signer = createSigner(key);
  const messageId = `msg-${count.toString(16).padStart(12, "0")}`;
  const message = { from: signer.agentId, messageId, timestamp, content: "x" };
  return {
    method: "POST",
    path: "/__darkmatter__/message",
    body: {
      message_id: messageId,
      content: "x",
      webhook: `${sender.agent_url}/__darkmatter__/webhook/${messageId}`,
      metadata: { type: "broadcast" },
      timestamp,
      from_agent_id: signer.agentId,
      from_public_key_hex: signer.agentId,
      signature_hex: signText(signer, messageText(message)),
    },
  };
}

/** The calls are those recorded, in their order; beside a weakness there may be more. */
function checkCalls(found: Findings, step: Step, calls: readonly Call[], live: Map<string, string>): void {
  const expected = step.outbound ?? [];
  const isWeak = step.reference_weakness !== undefined;
  const listed = isWeak ? calls.slice(0, expected.length) : calls;
  if (isWeak && expected.length === 0) return;
  found.like("calls", listed as unknown as Json, replaced(expected as unknown as Json, live));
}

async function recordedTrust({ world, peerTrust }: Play): Promise<Json | undefined> {
  const { requests } = await world.node.tool("list_pending_requests");
  const [request] = requests as JsonObject[];
  return request?.peer_trust ?? peerTrust;
}

async function checkAfter(found: Findings, state: Play): Promise<void> {
  const { world, scenario, peers, proved } = state;
  const { peer_trust_recorded: trust, state_after: expected } = scenario;
  if (trust) found.like("peer_trust", state.peerTrust, trust);
  if (expected) {
    const file = await world.state();
    const connections = Object.values(file.connections as Record<string, JsonObject>);
    const after: Aftermath = { world, state: file, connections, setup: scenario.setup, peers, proved };
    await checkStateAfter(found, replaced(expected, state.live) as JsonObject, after);
  }
  found.equal("what went wrong inside", world.node.reports.join("; "), "");
}

/** Peers take everything, and when asked for an impression say what the scenario records them to have said. */
function peersReply({ method, url }: Call, { setup, peer_trust_recorded: trust }: Scenario): Reply {
  const [, about = ""] = /\/impression\/(\w+)$/.exec(url) ?? [];
  if (method !== "GET" || about === "") return { status: 200, body: { success: true } };
  const silent = { status: 200, body: { agent_id: about, has_impression: false } };
  const asked = setup.connections.find(({ agent_url: base }) =>
    url.startsWith(String(base).replace(/\/mcp$/, "")),
  );
  const told = trust?.most_trusted_recommender;
  if (!trust || !isJsonObject(told) || !asked) return silent;
  const { their_score: score = 0, their_note: note = "" } = told;
  if (asked.agent_id === told.agent_id) {
    return { status: 200, body: { agent_id: about, has_impression: true, score, note } };
  }
  // The others share what the mean leaves for them.
  const others = Number(trust.peers_with_opinion) - 1;
  const rank = setup.connections.filter(({ agent_id: id }) => id !== told.agent_id).indexOf(asked);
  if (rank >= others) return silent;
  const rest = (Number(trust.avg_score) * (others + 1) - Number(score)) / others;
  return { status: 200, body: { agent_id: about, has_impression: true, score: rest, note: "" } };
}
