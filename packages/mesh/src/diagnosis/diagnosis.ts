import { isJsonObject, isoTime, type JsonObject, parseJson, reasonOf } from "@darkmatter/core";
import { addressClass, bareHost, type OutboundAnswer } from "@darkmatter/net";
import { type Connection, endpoint } from "../connections/connection.ts";
import { readBacklog } from "../messages/outbox.store.ts";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import type { Services } from "../services.ts";

/** How long each place asked may take. */
const PROBE_MS = 5_000;
/** Peers and anchors asked; more would not answer within the time somebody waits for it. */
const PROBED_MAX = 64;
/** `Date` has whole seconds, cut off. */
const DATE_CUT_MS = 500;

type Needed = Pick<
  Services,
  | "ports"
  | "db"
  | "addresses"
  | "channels"
  | "connectivity"
  | "connections"
  | "discovery"
  | "transports"
  | "isReady"
>;

/** What a node can say about how it is reached and whom it reaches: asks every peer and anchor, and changes nothing. */
export async function diagnose(services: Needed): Promise<JsonObject> {
  const { ports, db, addresses, discovery, connections } = services;
  const { config } = ports;
  const listening = ports.listening();
  const all = await connections.all(db);
  const [peers, anchors, told] = await Promise.all([
    inParallel(all.slice(0, PROBED_MAX), PARALLEL_CALLS_MAX, (peer) => peerState(services, peer)),
    inParallel(config.anchors.slice(0, PROBED_MAX), PARALLEL_CALLS_MAX, (url) => anchorState(services, url)),
    config.publicUrl === undefined ? null : answersAs(services, config.publicUrl, ports.signer.agentId),
  ]);
  return {
    running: services.isReady(),
    listening: listening ? { host: listening.host, port: listening.port } : null,
    url: addresses.base(),
    public_url: told && { url: config.publicUrl ?? "", ...told },
    behind_nat: addresses.behindNat(),
    beyond_loopback: listening !== undefined && isBeyondLoopback(listening.host),
    discovery: {
      enabled: config.discovery,
      multicast: ports.multicast !== undefined,
      seen: discovery.peers().length,
    },
    webrtc: ports.webRtc !== undefined,
    anchors,
    connections: all.length,
    peers,
    queue: await waiting(services),
  };
}

function isBeyondLoopback(host: string): boolean {
  return host !== "localhost" && addressClass(bareHost(host)) !== "loopback";
}

interface Probe {
  readonly ok: boolean;
  readonly ms: number;
  readonly answer?: OutboundAnswer;
  readonly error?: string;
}

async function ask({ ports: { wire, clock } }: Needed, url: string): Promise<Probe> {
  const start = clock.monotonic();
  const took = () => Math.round(clock.monotonic() - start);
  try {
    const answer = await wire.request({ method: "GET", url, timeoutMs: PROBE_MS, reach: "private" });
    return { ok: answer.status === 200, ms: took(), answer };
  } catch (error) {
    return { ok: false, ms: took(), error: reasonOf(error) };
  }
}

async function peerState(services: Needed, peer: Connection): Promise<JsonObject> {
  const { connectivity, ports } = services;
  const [http, clockMs] = await overHttp(services, peer);
  const { way, level, healthFailures, heardAtMs } = connectivity.of(peer.agentId);
  return {
    agent_id: peer.agentId,
    name: peer.displayName,
    url: peer.url,
    http,
    /** How far its clock is before ours. */
    clock_ms: clockMs,
    channel: await overChannel(services, peer),
    way: way ?? null,
    level,
    failures: healthFailures,
    heard_ms_ago: heardAtMs === undefined ? null : ports.clock.now() - heardAtMs,
  };
}

async function overHttp(services: Needed, peer: Connection): Promise<[JsonObject, number | null]> {
  const sentAt = services.ports.clock.now();
  const probe = await ask(services, endpoint(peer.url, "status"));
  const clockMs = probe.answer ? ahead(probe.answer, (sentAt + services.ports.clock.now()) / 2) : null;
  return [stateOf(probe, peer.agentId), clockMs];
}

async function answersAs(services: Needed, base: string, agentId: string): Promise<JsonObject> {
  return stateOf(await ask(services, endpoint(base, "status")), agentId);
}

/** Whether it was the agent itself that answered. */
function stateOf({ ms, answer, error }: Probe, agentId: string): JsonObject {
  if (!answer) return { ok: false, ms, error: error ?? "" };
  const body = parseJson(new TextDecoder().decode(answer.body));
  if (answer.status !== 200) return { ok: false, ms, error: `HTTP ${answer.status}` };
  if (isJsonObject(body) && body.agent_id === agentId) return { ok: true, ms };
  return { ok: false, ms, error: "another agent answers there" };
}

/** How far a clock is ahead of ours by its `Date` header, in ms; `null` where it says none. */
function ahead({ headers }: OutboundAnswer, now: number): number | null {
  const theirs = Date.parse(headers.date ?? "");
  return Number.isNaN(theirs) ? null : Math.round(theirs + DATE_CUT_MS - now);
}

/** By a channel, where one is open: only a node that runs has any. */
async function overChannel(services: Needed, peer: Connection): Promise<JsonObject | null> {
  const { channels, transports, ports, isReady } = services;
  if (!isReady() || channels.to(peer.agentId) === undefined) return null;
  const start = ports.clock.monotonic();
  const outcome = await transports.call(peer, { method: "GET", path: "status", timeoutMs: PROBE_MS });
  const ms = Math.round(ports.clock.monotonic() - start);
  return { ok: outcome.kind !== "failed" && outcome.way === "webrtc", ms };
}

async function anchorState(services: Needed, url: string): Promise<JsonObject> {
  const probe = await ask(services, `${url}/.well-known/darkmatter.json`);
  if (!probe.answer) return { url, ok: false, ms: probe.ms, error: probe.error ?? "" };
  const body = parseJson(new TextDecoder().decode(probe.answer.body));
  const isAnchor = probe.ok && isJsonObject(body) && body.anchor === true;
  return { url, ok: isAnchor, ms: probe.ms, ...(!isAnchor && { error: "no anchor answers there" }) };
}

/** Copies of messages that are still to be brought to their agents. */
async function waiting({ db }: Needed): Promise<JsonObject> {
  const { waiting: held, oldestMs } = await readBacklog(db);
  return { waiting: held, oldest_at: oldestMs === null ? null : isoTime(oldestMs) };
}
