import type { Clock, JsonObject, Random } from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, type Signer } from "@darkmatter/identity";
import type { Handler, HandlerResponse, Multicast, WebRtc, Wire } from "@darkmatter/net";
import {
  type MemoryHost,
  type MemoryInternet,
  type MemoryLan,
  type MemoryWebRtc,
  memoryInternet,
  memoryWebRtc,
} from "@darkmatter/net/testing";
import { createSqlJournal, type Database } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { createHandler, type ToolResult } from "@darkmatter/surface";
import {
  callHandler,
  type HandlerAnswer,
  type HandlerCall,
  type HarnessCall,
  type ToolHarness,
  toolHarness,
} from "@darkmatter/surface/testing";
import type { Helpers } from "../delegation/helpers.ts";
import { createMesh, type Mesh } from "../mesh.ts";
import type { MeshConfig } from "../ports.ts";
import type { CustomRouting } from "../router/custom.ts";
import { meshMigrations } from "../schema.ts";
import { createSolanaWallet } from "../wallets/adapters/solana.ts";
import type { WalletProvider } from "../wallets/wallet.ts";
import type { FakeSolana } from "./fake-solana.ts";
import { type MemoryJournal, memoryJournal } from "./memory-journal.ts";

export const TEST_CONFIG: MeshConfig = {
  displayName: undefined,
  bio: undefined,
  publicUrl: undefined,
  maxConnections: 50,
  inboxMax: 50,
  rateGlobal: 200,
  ratePerConnection: 30,
  requestExpiryMs: 3_600_000,
  acceptStrangers: true,
  discovery: true,
  discoveryPorts: [],
  anchors: [],
  stunServers: [],
  ipService: undefined,
  portMapping: false,
  passportPath: "passport.key",
  client: "claude-code",
  routerMode: "queue_only",
  agent: {
    enabled: true,
    maxConcurrent: 2,
    maxPerHour: 6,
    timeoutMs: 300_000,
    minTrust: 0.5,
    autonomous: false,
    command: undefined,
    args: undefined,
    envCleanup: undefined,
  },
  superagent: undefined,
  wakeHook: undefined,
  wakeHookToken: undefined,
};

/** A whole mesh node without a socket, a file or a real second. */
export interface TestNode extends AsyncDisposable {
  readonly id: string;
  readonly signer: Signer;
  readonly url: string;
  readonly mesh: Mesh;
  readonly db: Database;
  readonly handler: Handler;
  readonly journal: MemoryJournal;
  /** What was reported as gone wrong in the background. */
  readonly reports: readonly string[];
  /** Calls a tool as an agent does. */
  tool(name: string, input?: object, call?: HarnessCall): Promise<JsonObject>;
  /** The tools as a session sees them, and what they threw. */
  readonly tools: ToolHarness;
  /** Runs a background job once, as its timer would. */
  job(name: string): Promise<void>;
  /** Changes what the owner decided, as a restart with another environment would. */
  configure(changes: Partial<MeshConfig>): void;
  /** A request from this very machine. */
  local(call: Partial<HandlerCall> & { path: string }): Promise<HandlerAnswer>;
}

export interface TestNodeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly wire: Wire;
  readonly seed: Uint8Array | string;
  readonly host: string;
  readonly port: number;
  readonly config?: Partial<MeshConfig>;
  /** A migrated database; one in memory of its own otherwise. */
  readonly db?: Database;
  /** With a journal that keeps no chain: its acts have no hashes. */
  readonly chainless?: boolean;
  readonly multicast?: Multicast;
  readonly webRtc?: WebRtc;
  /** With a wallet on the chain behind this URL. */
  readonly solanaRpc?: string;
  /** In the place of a wallet on a chain. */
  readonly wallets?: readonly WalletProvider[];
  readonly customRouting?: CustomRouting;
  /** What helpers need; without it none are started. */
  readonly helpers?: Helpers;
}

/** One node over a wire that is given. */
export async function testNode(options: TestNodeOptions): Promise<TestNode> {
  const { clock, random, wire, seed, host, port } = options;
  const config = { ...TEST_CONFIG, ...options.config };
  const db = options.db ?? (await memoryDatabase(meshMigrations));
  const signer = createSigner(seed);
  const reports: string[] = [];
  const rows = createSqlJournal(clock);
  const journal = memoryJournal(signer.agentId, rows);
  const mesh = createMesh({
    db,
    wire,
    clock,
    random,
    signer,
    verifier: createVerifier({ threads: "never" }),
    journal: options.chainless ? rows : journal,
    config,
    listening: () => ({ host, port }),
    lanAddresses: () => (host === "127.0.0.1" ? [] : [host]),
    serving: () => handler,
    multicast: options.multicast,
    webRtc: options.webRtc,
    wallets:
      options.wallets ??
      (options.solanaRpc ? [createSolanaWallet({ signer, wire, rpcUrl: options.solanaRpc })] : []),
    customRouting: options.customRouting,
    helpers: options.helpers,
    report: (event, context) => reports.push(`${event} ${JSON.stringify(context)}`),
  });
  const onError = ({ route, error }: { route: string; error: unknown }) =>
    void reports.push(`500 ${route} ${error instanceof Error ? error.stack : String(error)}`);
  const handler = createHandler(mesh.routes, { onError });
  const harness = toolHarness(mesh.tools);
  await mesh.start();
  return {
    id: signer.agentId,
    signer,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    mesh,
    db,
    handler,
    journal,
    reports,
    tool: (name, input = {}, call = {}) =>
      harness.call(
        `darkmatter_${name}`,
        input as JsonObject,
        call,
      ) as Promise<ToolResult> as Promise<JsonObject>,
    tools: harness,
    async job(name) {
      const found = mesh.jobs.find((job) => job.name === name);
      if (!found) throw new TypeError(`no job is called ${name}`);
      await found.run();
    },
    configure: (changes) => void Object.assign(config, changes),
    local: (call) => callHandler(handler, { method: "GET", ...call }),
    async [Symbol.asyncDispose]() {
      await mesh.stop();
      await db.close();
    },
  };
}

export interface MemoryNetwork<Name extends string> extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly internet: MemoryInternet;
  readonly nodes: Readonly<Record<Name, TestNode>>;
  readonly hosts: Readonly<Record<Name, MemoryHost>>;
  /** Where channels come from, with `webRtc`. */
  readonly channels: MemoryWebRtc | undefined;
  /** Connects two nodes, the first asking the second. */
  connect(asking: Name, asked: Name): Promise<void>;
  /** Lets everything that waits for no time come to its end. */
  settle(): Promise<void>;
}

const SOLANA_ADDRESS = "5.6.7.9";
const SOLANA_RPC = `http://${SOLANA_ADDRESS}/?api-key=secret`;

/** Nodes that reach each other over an in-memory internet, all from one seed. */
export async function memoryNetwork<Name extends string>(options: {
  readonly nodes: readonly Name[];
  readonly seed?: number;
  readonly config?: Partial<MeshConfig>;
  /** All on one machine (the default), or each on its own: in one local network, or each at a public address. */
  readonly apart?: boolean | "public";
  /** Where nodes that are apart hear each other's beacons. */
  readonly lan?: MemoryLan;
  /** With direct channels between nodes that are apart, opened by the job `transports.upgrade`. */
  readonly webRtc?: boolean;
  /** Settings of one node alone. */
  readonly configOf?: Partial<Record<Name, Partial<MeshConfig>>>;
  /** The owner's own routers at one node. */
  readonly helpersOf?: Partial<Record<Name, Helpers>>;
  readonly customRoutingOf?: Partial<Record<Name, CustomRouting>>;
  /** A chain on which every node has a wallet. */
  readonly solana?: FakeSolana;
  /** The database of one node alone. */
  readonly dbOf?: Partial<Record<Name, Database>>;
}): Promise<MemoryNetwork<Name>> {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(options.seed ?? 1);
  const internet = memoryInternet({ clock, random });
  const channels = options.webRtc ? memoryWebRtc({ clock, reaches: internet.reaches }) : undefined;
  const shared = options.apart ? undefined : internet.host({ address: "192.168.7.1" });
  const nodes = {} as Record<Name, TestNode>;
  const hosts = {} as Record<Name, MemoryHost>;

  if (options.solana) internet.host({ address: SOLANA_ADDRESS }).listen(80, options.solana.handler);

  for (const [at, name] of options.nodes.entries()) {
    const address = options.apart === "public" ? `5.6.7.${at + 10}` : `192.168.7.${at + 10}`;
    const host = shared ?? internet.host({ address });
    const place = { host: shared ? "127.0.0.1" : address, port: 8100 + at };
    const config = { displayName: name, ...options.config, ...options.configOf?.[name] };
    const db = options.dbOf?.[name];
    const customRouting = options.customRoutingOf?.[name];
    const helpers = options.helpersOf?.[name];
    const seed = random.bytes(32);
    const node = await testNode({
      clock,
      random,
      wire: host.wire,
      seed,
      ...place,
      config,
      ...(db && { db }),
      ...(options.solana && { solanaRpc: SOLANA_RPC }),
      ...(customRouting && { customRouting }),
      ...(helpers && { helpers }),
      ...(channels && { webRtc: channels.on(host) }),
      ...(options.lan && { multicast: options.lan.multicastOf({ address: () => host.address }) }),
    });
    host.listen(place.port, node.handler);
    nodes[name] = node;
    hosts[name] = host;
  }

  async function settle(): Promise<void> {
    await clock.settle();
    await Promise.all(Object.values<TestNode>(nodes).map((node) => node.mesh.idle()));
  }

  return {
    clock,
    internet,
    nodes,
    hosts,
    channels,
    settle,

    async connect(asking, asked) {
      const result = await nodes[asking].tool("connection", {
        action: "request",
        target_url: nodes[asked].url,
      });
      if (result.status !== "connected") throw new Error(`not connected: ${JSON.stringify(result)}`);
    },

    async [Symbol.asyncDispose]() {
      for (const node of Object.values<TestNode>(nodes)) await node[Symbol.asyncDispose]();
    },
  };
}

/** The JSON body of an answer. */
export function bodyOf(answer: Pick<HandlerResponse, "body">): JsonObject {
  return JSON.parse(String(answer.body)) as JsonObject;
}
