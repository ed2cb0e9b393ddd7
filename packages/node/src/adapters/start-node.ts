import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { HOUR_MS, MINUTE_MS, reasonOf, systemClock, systemRandom } from "@darkmatter/core";
import { createVerifier, type Signer } from "@darkmatter/identity";
import {
  createMulticast,
  createPortMapper,
  createUndiciWire,
  createWebRtc,
  type Handler,
  isLoopbackHost,
  lanAddresses,
  lanNetworks,
} from "@darkmatter/net";
import { type Database, forgetOnce, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import {
  createHandler,
  type Job,
  largestBody,
  localOnly,
  mcpRoutes,
  runJobs,
  serveMcpStream,
  type ToolTable,
} from "@darkmatter/surface";
import type { Assembly, Layer } from "../assembly.ts";
import { programBundle } from "../bootstrap/adapters/bundle.ts";
import { bootstrapping } from "../bootstrap/bootstrapping.ts";
import type { Config } from "../config.ts";
import type { Hello } from "../handshake.ts";
import type { Places } from "../places.ts";
import { bundleFilesIn } from "./bundle-file.ts";
import { helperFolders } from "./helper-folders.ts";
import { listen } from "./listen.ts";
import type { Log } from "./log.ts";
import { nodeProcesses } from "./node-processes.ts";
import { readOwnerCard, writeOwnerCard } from "./owner-card.ts";
import type { OwnerLock } from "./owner-lock.ts";
import { listenRelay } from "./relay.ts";
import { loadRouters } from "./router-module.ts";
import { readStateOnce, stateFilePath, writeState } from "./state-file.ts";
import type { OwnNode } from "./thin-session.ts";
import { walletsOf } from "./wallets.ts";

/** A call is sent again within seconds of a takeover; its result is kept far longer than any session waits. */
const CALL_KEPT_MS = HOUR_MS;

export interface NodeOptions {
  readonly config: Config;
  readonly home: string;
  readonly places: Places;
  readonly socket: string;
  readonly passportPath: string;
  readonly signer: Signer;
  readonly version: string;
  readonly assembly: Assembly;
  readonly lock: OwnerLock;
  readonly log: Log;
  /** It is there for as long as one command takes: what it would hand to helpers waits for the next. */
  readonly isBrief?: boolean;
}

/** A running node: the owner of its agent's state. */
export interface RunningNode extends OwnNode {
  /** `http://127.0.0.1:8100` */
  readonly url: string;
  readonly port: number;
}

/**
 * Starts the node of the lock's holder: database, layers, HTTP, the socket for other sessions, jobs. When a step
 * fails everything before it is undone, the lock given back, and the reason thrown.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => options.lock.release());
  undo.use(options.log);
  const { config, places, log, version } = options;
  const card = { pid: process.pid, version, startedAt: new Date().toISOString(), host: config.host };
  const before = readOwnerCard(places.ownerCard)?.port ?? 0;
  writeOwnerCard(places.ownerCard, { ...card, port: before });

  const { layer, listening, db } = await assemble(options, undo);
  const serving = handlerOf(options, layer, undo);
  listening.serving = serving.handler;
  const http = await listen({ ...serving, host: config.host, port: config.port, before });
  listening.port = http.port;
  const stateFile = stateFilePath(options.home, options.signer.agentId, config.stateFile);
  await readStateOnce(db, layer, stateFile);
  await layer.start();
  undo.defer(() => exportState(options, db, layer, stateFile));
  undo.defer(() => layer.stop());
  // Undone in reverse: no new requests while what was begun is finished.
  undo.defer(() => http.close());

  const report = (job: string, reason: string) => log.warn("job.failed", { job, reason });
  undo.use(runJobs([...layer.jobs, ...ownJobs(db, log)], systemClock, report));
  const handOver = Promise.withResolvers<Hello>();
  const serveStream = streamServer(layer, options);
  const relay = await listenRelay({
    ...options,
    serve: serveStream,
    isHelper: layer.isHelper,
    handOver: handOver.resolve,
  });
  undo.defer(() => relay.close());
  writeOwnerCard(places.ownerCard, { ...card, port: http.port });
  log.info("node.started", { version, url: http.url, passport: options.passportPath });

  const running = undo.move();
  let stopping: Promise<void> | undefined;
  return {
    url: http.url,
    port: http.port,
    serve: serveStream,
    onHandOver: (listener) => void handOver.promise.then(listener),
    stop() {
      if (!stopping) log.info("node.stopping");
      stopping ??= running.disposeAsync();
      return stopping;
    },
  };
}

/** At a clean stop, for the programs that read the file. What keeps it from being written keeps nothing else. */
async function exportState({ signer, log }: NodeOptions, db: Database, layer: Layer, path: string) {
  await writeState(db, layer, path, signer.agentId).catch((error: unknown) =>
    log.warn("state.export-failed", { reason: reasonOf(error) }),
  );
}

function ownJobs(db: Database, log: Log): Job[] {
  const forget = () => db.write((tx) => forgetOnce(tx, systemClock.now(), CALL_KEPT_MS));
  return [
    { name: "log", periodMs: MINUTE_MS, run: async () => log.turnOver() },
    { name: "once", periodMs: CALL_KEPT_MS, run: async () => void (await forget()) },
  ];
}

/** The database and the layers over it. */
async function assemble(options: NodeOptions, undo: AsyncDisposableStack) {
  const { config, places, log, assembly } = options;
  const db = await openSqlite({
    path: places.database,
    report: (error) => log.warn("after-commit.failed", { reason: reasonOf(error) }),
  });
  undo.use(db);
  await migrate(db, [...storeMigrations, ...assembly.migrations]);
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const listening: { host: string; port: number; serving?: Handler } = { host: config.host, port: 0 };
  const webRtc = await channels(options, undo);
  const customRouting = await loadRouters(config.routerModule);
  const isBeyond = !isLoopbackHost(config.host);
  // The key goes to the mirror alone.
  const { mirror, ...settings } = config;
  const layer = assembly.create({
    db,
    wire,
    clock: systemClock,
    random: systemRandom,
    signer: options.signer,
    verifier: createVerifier(),
    config: { ...settings, passportPath: options.passportPath },
    listening: () => (listening.port === 0 ? undefined : listening),
    serving: () => listening.serving,
    lanAddresses,
    lanNetworks,
    multicast: config.discovery && isBeyond ? createMulticast() : undefined,
    portMapper:
      config.portMapping && isBeyond
        ? createPortMapper({ clock: systemClock, random: systemRandom, wire })
        : undefined,
    webRtc,
    wallets: walletsOf(config, options.signer, wire),
    customRouting,
    bundleFiles: bundleFilesIn(places.exports),
    mirror,
    helpers: helpersOf(options),
    report: (event, context) => log.warn(event, context),
  });
  const bundle = { bundle: programBundle(), clock: systemClock, base: () => baseOf(config, listening.port) };
  return { layer: config.bootstrap ? bootstrapping(layer, bundle) : layer, listening, db };
}

/** Helpers work where the agent does: in the folder its passport belongs to. */
function helpersOf({ passportPath, places, isBrief = false }: NodeOptions) {
  return {
    processes: nodeProcesses(),
    folders: helperFolders(places.helpers),
    cwd: dirname(dirname(passportPath)),
    env: process.env,
    isBrief,
  };
}

/** Where others get the program: what the owner says, else an address that others may reach. */
function baseOf({ host, publicUrl }: Config, port: number): string | undefined {
  if (publicUrl !== undefined || port === 0) return publicUrl;
  const own = host === "0.0.0.0" || host === "::" ? (lanAddresses()[0] ?? "127.0.0.1") : host;
  return `http://${own.includes(":") ? `[${own}]` : own}:${port}`;
}

/** The native library is loaded only where a peer on another machine may use it. */
async function channels({ config, log }: NodeOptions, undo: AsyncDisposableStack) {
  if (!(config.webRtc ?? !isLoopbackHost(config.host))) return undefined;
  const { stunServers } = config;
  const webRtc = await createWebRtc({ stunServers, report: (event, context) => log.warn(event, context) });
  undo.defer(() => webRtc?.close());
  return webRtc;
}

/** Every request of this node, by whatever way it came. */
function handlerOf(options: NodeOptions, layer: Layer, undo: AsyncDisposableStack) {
  const { log } = options;
  const mcp = mcpRoutes(layer.tools, {
    guards: [localOnly()],
    identity: identityOf(options),
    clock: systemClock,
    random: systemRandom,
    onError: ({ tool, error }) => log.warn("mcp.failed", { tool: tool ?? "", reason: reasonOf(error) }),
    ...(layer.delegates && { delegates: layer.delegates }),
  });
  undo.defer(() => mcp.close());
  const routes = [...layer.routes, ...mcp.routes];
  const handler = createHandler(routes, {
    onError: ({ method, route, error }) =>
      log.warn("route.failed", { method, route, reason: reasonOf(error) }),
  });
  return {
    handler,
    maxBodyBytes: largestBody(routes),
    onError: (error: unknown) => log.warn("http.failed", { reason: reasonOf(error) }),
  };
}

function streamServer({ tools, delegates }: Layer, options: NodeOptions) {
  return (
    stream: Duplex,
    hello: Pick<Hello, "session" | "called" | "role" | "delegate">,
    isHelper = false,
  ) => {
    const { session, called, role, delegate: token } = hello;
    const delegate = token === undefined ? undefined : delegates?.(token);
    // A token that is nobody's any more opens nothing, rather than everything.
    const whole = isHelper ? TOKENLESS : tools;
    const table = token === undefined ? whole : (delegate?.table ?? NOTHING);
    const served = serveMcpStream(
      table,
      { input: stream, output: stream },
      {
        session,
        sessionState: { called: new Set(called) },
        isOwner: role === "command" && token === undefined,
        identity: identityOf(options),
        onError: ({ tool, error }) =>
          options.log.warn("mcp.failed", { tool: tool ?? "", reason: reasonOf(error) }),
      },
    );
    delegate?.over.addEventListener("abort", () => void served.close(), { once: true });
    // The library lets go of a stream it has done with; the session at its other end has to hear of that.
    void served.closed.then(() => stream.destroy());
  };
}

/** A table without tools, which answers every call with the reason. */
function nothing(instructions: string, error: string, next?: string): ToolTable {
  return {
    tools: [],
    instructions,
    decorate: async (_session, result) => result,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
    resources: [],
    unknown: () => ({ success: false, error, ...(next && { next_step: next }) }),
  };
}

/** What a helper is served when its time is over. */
const NOTHING = nothing("Your time is over: end.", "Your time is over.");
/** What it is served that was started by a helper and does not show the helper's token: never the whole agent. */
const TOKENLESS = nothing(
  "This program was started by a helper and shows no token: there is nothing here for it.",
  "A helper is served with its token alone, and this program shows none.",
  "Call the server at DARKMATTER_MCP_URL with DARKMATTER_MCP_TOKEN as bearer token, or pass both variables to this one.",
);

function identityOf({ version }: { readonly version: string }) {
  return { name: "darkmatter", title: "DarkMatter", version };
}
