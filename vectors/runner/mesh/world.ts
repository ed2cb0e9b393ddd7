import { fromHex, type Json, type JsonObject, parseJson, type Random } from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import type { WalletProvider } from "@darkmatter/mesh";
import { type TestNode, testNode } from "@darkmatter/mesh/testing";
import type { Handler, WebRtc, Wire } from "@darkmatter/net";
import { type MemoryHost, memoryInternet } from "@darkmatter/net/testing";
import { furnish, type Setup } from "./setup.ts";

/** A call of the node to somebody else. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly body: Json;
}

export interface Reply {
  readonly status: number;
  readonly body: Json;
  /** In the place of the body, byte for byte. */
  readonly text?: string;
}

export interface WorldOptions {
  readonly setup: Setup;
  readonly nowMs: number;
  /** What others answer; `undefined` where nobody listens. */
  reply(call: Call): Reply | undefined;
  /** Nobody listens there any more. */
  isDown?(call: Call): boolean;
  /** What chance brings, in hex; each is drawn once, by who asks for that many bytes. */
  readonly chance?: readonly string[];
  readonly wallets?: readonly WalletProvider[];
  /** The first whole numbers it brings, each to who asks for one below that bound. */
  readonly picks?: ReadonlyArray<{ readonly below: number; readonly value: number }>;
}

/** One node in an in-memory internet where everybody else is scripted and every call is recorded. */
export interface World extends AsyncDisposable {
  readonly node: TestNode;
  readonly clock: VirtualClock;
  /** The node's own way out. */
  readonly wire: Wire;
  /** The calls since last asked. */
  takeCalls(): Call[];
  /** Moves the clocks. Backwards only the wall clock goes. */
  setNow(nowMs: number): Promise<void>;
  /** Lets all that goes on in the background come to its end. */
  settle(): Promise<void>;
  /** The node's state as its state file. */
  state(): Promise<JsonObject>;
}

/** Answers every offer, and opens nothing. */
const ANSWERING: WebRtc = {
  offer: () => Promise.reject(new Error("this node offers nothing")),
  answer: async () => ({
    sdp: "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\n",
    channel: new Promise(() => undefined),
    cancel: () => undefined,
  }),
  close: async () => undefined,
};

/** Any name of another machine leads here. */
const ELSEWHERE = "93.184.216.34";

export async function openWorld(options: WorldOptions): Promise<World> {
  const { setup } = options;
  const virtual = virtualClock({ startMs: options.nowMs });
  let skewMs = 0;
  const clock: VirtualClock = { ...virtual, now: () => virtual.now() + skewMs };
  const calls: Call[] = [];
  const url = new URL(setup.node.public_url);
  const wire = recordingWire(clock, calls, options);
  const random = scripted(seededRandom(1), options.chance ?? [], options.picks ?? []);
  const node = await testNode({
    clock,
    random,
    wire,
    seed: setup.node.private_key_hex,
    host: "127.0.0.1",
    port: Number(url.port) || 80,
    // With a slash at its end, which no answer may show.
    webRtc: ANSWERING,
    ...(options.wallets && { wallets: options.wallets }),
    config: { publicUrl: `${setup.node.public_url}/`, anchors: setup.anchors ?? setup.node.anchors ?? [] },
  });
  await furnish(node, setup, options.nowMs);

  async function settle(): Promise<void> {
    await clock.settle();
    await node.mesh.idle();
  }

  return {
    node,
    clock,
    wire,
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
function scripted(
  random: Random,
  chance: readonly string[],
  picks: NonNullable<WorldOptions["picks"]>,
): Random {
  const left = [...chance];
  const numbers = [...picks];
  return {
    integer(below) {
      const at = numbers.findIndex((one) => one.below === below);
      const [drawn] = at < 0 ? [] : numbers.splice(at, 1);
      return drawn?.value ?? random.integer(below);
    },
    bytes(count) {
      const at = left.findIndex((hex) => hex.length === 2 * count);
      const [hex] = at < 0 ? [] : left.splice(at, 1);
      return (hex === undefined ? undefined : fromHex(hex)) ?? random.bytes(count);
    },
  };
}

function recordingWire(clock: VirtualClock, calls: Call[], { reply, isDown }: WorldOptions): Wire {
  const internet = memoryInternet({ clock, random: seededRandom(2) });
  const machines = new Map<string, MemoryHost>();
  const listening = new Map<string, Disposable>();
  const machine = (address: string) => {
    const known = machines.get(address) ?? internet.host({ address });
    machines.set(address, known);
    return known;
  };
  const own = machine("192.168.7.1");

  /** Somebody listens at the URL from now on. */
  function inhabit({ origin, hostname, port, protocol }: URL): void {
    if (listening.has(origin)) return;
    const bare = hostname.replace(/^\[|\]$/g, "");
    const isLoopback = bare === "localhost" || bare === "::1" || bare.startsWith("127.");
    const isAddress = /^[\d.]+$|:/.test(bare);
    if (!isLoopback && !isAddress) internet.name(bare, [ELSEWHERE]);
    const host = isLoopback ? own : machine(isAddress ? bare : ELSEWHERE);
    const at = Number(port) || (protocol === "https:" ? 443 : 80);
    listening.set(origin, host.listen(at, speaker(origin, reply)));
  }

  function leave({ origin }: URL): void {
    listening.get(origin)?.[Symbol.dispose]();
    listening.delete(origin);
  }

  return {
    request(request) {
      const call = { method: request.method, url: request.url, body: bodyOf(request.body) };
      calls.push(call);
      if (URL.canParse(call.url) && reply(call)) inhabit(new URL(call.url));
      if (isDown?.(call)) leave(new URL(call.url));
      return own.wire.request(request);
    },
    close: () => own.wire.close(),
  };
}

function speaker(origin: string, reply: WorldOptions["reply"]): Handler {
  return async ({ method, path, query, body }) => {
    const url = `${origin}${path}${query ? `?${query}` : ""}`;
    const answer: Reply = reply({ method, url, body: bodyOf(body) }) ?? {
      status: 404,
      body: { error: "nobody" },
    };
    const type = { "content-type": "application/json" };
    if (answer.text === undefined) {
      return { status: answer.status, headers: type, body: JSON.stringify(answer.body) };
    }
    const length = `${Buffer.byteLength(answer.text)}`;
    return { status: answer.status, headers: { "content-length": length, ...type }, body: answer.text };
  };
}

function bodyOf(body: Uint8Array | string | undefined): Json {
  const text = typeof body === "string" ? body : Buffer.from(body ?? []).toString("utf8");
  return text === "" ? null : (parseJson(text) ?? text);
}
