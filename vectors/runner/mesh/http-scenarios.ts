import { isJsonObject, type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { expanded, replaced } from "../expand.ts";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import { alikeRequest } from "./alike.ts";
import { drawnPicks } from "./antimatter.ts";
import { peersReply } from "./impression-replies.ts";
import { learn, liveRequest } from "./live-values.ts";
import { checkShardText, isProviderDown, isShardText, preparePools, providerReply } from "./pool-steps.ts";
import { type Peers, type Play, type Request, type Scenario, type Step, send } from "./scenario.ts";
import { type Aftermath, checkStateAfter } from "./state-after.ts";
import { type Answer, betterThan, ruledAnswer } from "./weakness.ts";
import { type Call, openWorld, type Reply } from "./world.ts";

/** Requests to one node, one after another, and its answers (mesh.md 5). */
export async function* httpScenarios(document: Json): AsyncIterable<Outcome> {
  const { peers, scenarios } = expanded(document) as unknown as {
    peers: Peers;
    scenarios: ReadonlyArray<Scenario>;
  };
  for (const scenario of scenarios) {
    if (isShardText(scenario)) yield ran(scenario.name, (found) => checkShardText(found, scenario));
    else yield ran(scenario.name, (found) => play(found, scenario, peers));
  }
}

async function play(found: Findings, scenario: Scenario, peers: Peers): Promise<void> {
  const { setup, steps } = scenario;
  const nowMs = parseTime(steps[0]?.now ?? "") ?? 0;
  let now: Step | undefined;
  const reply = (call: Call) =>
    relayedReply(call, now) ?? providerReply(call, now) ?? peersReply(call, scenario);
  const isDown = (call: Call) => isProviderDown(call, now);
  await using world = await openWorld({ setup, nowMs, reply, isDown });
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
    now = step;
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
  await preparePools(step, request, state);

  const answer = await send(request, state);
  found.equal("status", answer.status, expected.status);
  if (answer.status === expected.status) {
    const drawn = drawnPicks(expected.body);
    if (typeof drawn.body === "string") found.equal("text", answer.text.trim(), drawn.body);
    else {
      const patterns = { ...drawn.patterns, ...step.response.match_regex };
      const wanted = movedBack(replaced(drawn.body, live), state.queuedMore);
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

/** What the target of an offer answered the relay, which the relay told on. */
function relayedReply({ url }: Call, step: Step | undefined): Reply | undefined {
  if (!step || !url.endsWith("/sdp_relay_deliver")) return undefined;
  const { status, body } = step.response;
  const [, refused] = /Target returned (\d{3})/.exec(JSON.stringify(body)) ?? [];
  return refused ? { status: Number(refused), body: {} } : { status, body };
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

function noteProof({ path, body }: Request, { proved }: Play): void {
  const id = body?.from_agent_id ?? body?.agent_id;
  const isProof = /\/(message|connection_proof|peer_update)$/.test(path);
  if (isProof && typeof id === "string") proved.add(id);
}

/** The calls are those recorded, in their order; beside a weakness there may be more. */
function checkCalls(found: Findings, step: Step, calls: readonly Call[], live: Map<string, string>): void {
  const expected = step.outbound ?? [];
  const isWeak = step.reference_weakness !== undefined;
  // What a peer speaks is asked of it now and then, which the reference does not.
  const made = calls.filter(({ url }) => !url.endsWith("/.well-known/darkmatter.json"));
  const listed = isWeak ? made.slice(0, expected.length) : made;
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
