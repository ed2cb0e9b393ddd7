import {
  fromHex,
  isoTime,
  type Json,
  type JsonObject,
  parseJson,
  parseTime,
  type Random,
} from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { give, type TestNode, testNode } from "@darkmatter/mesh/testing";
import type { Handler, Wire } from "@darkmatter/net";
import { type MemoryHost, memoryInternet } from "@darkmatter/net/testing";

/** A node as the vectors describe it before the first step. */
export interface Setup {
  readonly node: {
    readonly private_key_hex: string;
    readonly agent_id: string;
    readonly display_name: string;
    readonly bio: string;
    readonly created_at: string;
    readonly public_url: string;
    readonly anchors?: readonly string[];
  };
  readonly connections: readonly JsonObject[];
  readonly impressions: JsonObject;
  readonly status?: string;
  readonly anchors?: readonly string[];
  readonly nat_detected?: boolean;
  readonly pools?: Json;
  readonly pending_requests?: Readonly<Record<string, JsonObject>>;
  /** Base URL to agent id. */
  readonly pending_outbound?: Readonly<Record<string, string | null>>;
  readonly sent_messages?: Readonly<Record<string, JsonObject>>;
  readonly message_queue?: readonly JsonObject[];
}

/** A call of the node to somebody else. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly body: Json;
}

export interface Reply {
  readonly status: number;
  readonly body: Json;
}

export interface WorldOptions {
  readonly setup: Setup;
  readonly nowMs: number;
  /** What others answer; `undefined` where nobody listens. */
  reply(call: Call): Reply | undefined;
  /** What chance brings, in hex; each is drawn once, by who asks for that many bytes. */
  readonly chance?: readonly string[];
}

/** One node in an in-memory internet where everybody else is scripted and every call is recorded. */
export interface World extends AsyncDisposable {
  readonly node: TestNode;
  /** The calls since last asked. */
  takeCalls(): Call[];
  /** Moves the clocks. Backwards only the wall clock goes. */
  setNow(nowMs: number): Promise<void>;
  /** Lets all that goes on in the background come to its end. */
  settle(): Promise<void>;
  /** The node's state as its state file. */
  state(): Promise<JsonObject>;
}

/** Any name of another machine leads here. */
const ELSEWHERE = "93.184.216.34";

export async function openWorld(options: WorldOptions): Promise<World> {
  const { setup } = options;
  const virtual = virtualClock({ startMs: options.nowMs });
  let skewMs = 0;
  const clock: VirtualClock = { ...virtual, now: () => virtual.now() + skewMs };
  const calls: Call[] = [];
  const url = new URL(setup.node.public_url);
  const random = scripted(seededRandom(1), options.chance ?? []);
  const node = await testNode({
    clock,
    random,
    wire: recordingWire(clock, calls, options.reply),
    seed: setup.node.private_key_hex,
    host: "127.0.0.1",
    port: Number(url.port) || 80,
    // With a slash at its end, which no answer may show.
    config: { publicUrl: `${setup.node.public_url}/` },
  });
  await furnish(node, setup, options.nowMs);

  async function settle(): Promise<void> {
    await clock.settle();
    await node.mesh.idle();
  }

  return {
    node,
    settle,
    takeCalls: () => calls.splice(0),
    async setNow(nowMs) {
      const stepMs = nowMs - clock.now();
      if (stepMs > 0) await clock.advance(stepMs);
      else skewMs += stepMs;
    },
    state: async () => JSON.parse(await node.mesh.stateFiles.write(node.db)) as JsonObject,
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]();
    },
  };
}

/** Chance that first brings what is written down. */
export function scripted(random: Random, chance: readonly string[]): Random {
  const left = [...chance];
  return {
    integer: (below) => random.integer(below),
    bytes(count) {
      const at = left.findIndex((hex) => hex.length === 2 * count);
      const [hex] = at < 0 ? [] : left.splice(at, 1);
      return (hex === undefined ? undefined : fromHex(hex)) ?? random.bytes(count);
    },
  };
}

function recordingWire(clock: VirtualClock, calls: Call[], reply: WorldOptions["reply"]): Wire {
  const internet = memoryInternet({ clock, random: seededRandom(2) });
  const machines = new Map<string, MemoryHost>();
  const listening = new Set<string>();
  const machine = (address: string) => {
    const known = machines.get(address) ?? internet.host({ address });
    machines.set(address, known);
    return known;
  };
  const own = machine("192.168.7.1");

  /** Somebody listens at the URL from now on. */
  function inhabit({ origin, hostname, port, protocol }: URL): void {
    if (listening.has(origin)) return;
    listening.add(origin);
    const bare = hostname.replace(/^\[|\]$/g, "");
    const isLoopback = bare === "localhost" || bare === "::1" || bare.startsWith("127.");
    const isAddress = /^[\d.]+$|:/.test(bare);
    if (!isLoopback && !isAddress) internet.name(bare, [ELSEWHERE]);
    const host = isLoopback ? own : machine(isAddress ? bare : ELSEWHERE);
    host.listen(Number(port) || (protocol === "https:" ? 443 : 80), speaker(origin, reply));
  }

  return {
    request(request) {
      const call = { method: request.method, url: request.url, body: bodyOf(request.body) };
      calls.push(call);
      if (URL.canParse(call.url) && reply(call)) inhabit(new URL(call.url));
      return own.wire.request(request);
    },
    close: () => own.wire.close(),
  };
}

function speaker(origin: string, reply: WorldOptions["reply"]): Handler {
  return async ({ method, path, query, body }) => {
    const url = `${origin}${path}${query ? `?${query}` : ""}`;
    const answer = reply({ method, url, body: bodyOf(body) }) ?? { status: 404, body: { error: "nobody" } };
    return {
      status: answer.status,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(answer.body),
    };
  };
}

function bodyOf(body: Uint8Array | string | undefined): Json {
  const text = typeof body === "string" ? body : Buffer.from(body ?? []).toString("utf8");
  return text === "" ? null : (parseJson(text) ?? text);
}

/** Brings a node into the state before the first step: by its own state file, and its own routes. */
async function furnish(node: TestNode, setup: Setup, nowMs: number): Promise<void> {
  const { agent_id, display_name, bio, created_at } = setup.node;
  const byId = setup.connections.map((one) => [String(one.agent_id), { addresses: {}, ...one }]);
  const sent = Object.entries(setup.sent_messages ?? {}).map(([id, one]) => [id, { message_id: id, ...one }]);
  const file = {
    agent_id,
    display_name,
    bio,
    created_at,
    connections: Object.fromEntries(byId),
    impressions: setup.impressions,
    sent_messages: Object.fromEntries(sent),
  };
  await node.db.write((tx) => node.mesh.stateFiles.load(tx, JSON.stringify(file)));
  await give(node.db, {
    pendingRequests: Object.entries(setup.pending_requests ?? {}).map(([id, one]) => pending(id, one, nowMs)),
    outboundRequests: Object.entries(setup.pending_outbound ?? {}).map(([baseUrl, agentId]) => ({
      baseUrl,
      agentId,
      requestedAtMs: nowMs,
    })),
    inbox: (setup.message_queue ?? []).map((one) => queued(one, nowMs)),
  });
  if (setup.status === "inactive") {
    const path = "/__darkmatter__/config";
    await node.local({ method: "POST", path, body: { status: setup.status } });
  }
}

function pending(requestId: string, request: JsonObject, nowMs: number) {
  const text = (name: string) => (typeof request[name] === "string" ? request[name] : null);
  return {
    requestId,
    agentId: text("from_agent_id") ?? "",
    url: text("from_agent_url") ?? "",
    bio: text("from_agent_bio") ?? "",
    displayName: text("from_agent_display_name"),
    publicKeyHex: text("from_agent_public_key_hex"),
    wallets: (request.wallets ?? {}) as Record<string, string>,
    createdAt: text("created_at"),
    features: [],
    mutual: request.mutual === true,
    requestedAtMs: nowMs,
    challenge: null,
    proven: false,
    peerTrust: null,
  };
}

function queued(message: JsonObject, nowMs: number) {
  return {
    messageId: String(message.message_id),
    content: String(message.content),
    webhook: String(message.webhook),
    hopsRemaining: Number(message.hops_remaining),
    metadata: (message.metadata ?? {}) as JsonObject,
    from: String(message.from_agent_id),
    verified: message.verified === true,
    receivedAtMs: parseTime(String(message.received_at ?? isoTime(nowMs))) ?? nowMs,
    read: false,
  };
}
