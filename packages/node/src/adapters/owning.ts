import { flushCompileCache } from "node:module";
import type { Duplex } from "node:stream";
import { systemRandom } from "@darkmatter/core";
import { openPassport, type PassportSearch, type Signer } from "@darkmatter/identity";
import { nodeFiles } from "@darkmatter/store";
import { serveMcpStream } from "@darkmatter/surface";
import type { Assembly } from "../assembly.ts";
import { parseConfig } from "../config.ts";
import { nodeError } from "../errors.ts";
import { type Places, placesOf, statesOf } from "../places.ts";
import { VERSION } from "../version.ts";
import { makeFolders } from "./make-folders.ts";
import type { OwnerLock } from "./owner-lock.ts";
import { homeFolder, namedPassport, type Whereabouts } from "./passport-peek.ts";
import { socketPlace } from "./socket-place.ts";
import type { RunningNode } from "./start-node.ts";

/** After a start, what was compiled is kept for the next: a process that is killed later would not do it. */
const FLUSH_AFTER_MS = 500;

export interface OwningOptions extends Whereabouts {
  /** What the node is made of; the mesh unless a test says otherwise. */
  readonly assembly?: (() => Promise<Assembly>) | undefined;
  readonly version?: string | undefined;
}

/** An agent on this machine: its key, and where its state lies. */
export interface Agent {
  readonly signer: Signer;
  readonly passportPath: string;
  readonly home: string;
  readonly places: Places;
  readonly socket: string;
}

/** Opens the passport a command means, making one where there is none. @throws PASSPORT_* */
export async function openAgent(where: Whereabouts): Promise<Agent> {
  const home = homeFolder(where, process.env);
  makeFolders(statesOf(home), home);
  const found = await openPassport({ files: nodeFiles, random: systemRandom }, passportSearch(where));
  const places = placesOf(home, found.signer.agentId);
  return {
    signer: found.signer,
    passportPath: found.path,
    home,
    places,
    socket: socketPlace(places.folder),
  };
}

/** How identity is to look for the passport a command means. */
export function passportSearch(where: Whereabouts): PassportSearch {
  const states = statesOf(homeFolder(where, process.env));
  return { explicit: namedPassport(where, process.env), folder: process.cwd(), states };
}

/** Begins to load what a node is made of, while there is still time. */
export async function warm(options: OwningOptions): Promise<void> {
  await Promise.all([assemblyOf(options), running()]);
}

/** What runs a node. Most commands only ask one that runs: they do not load it. */
async function running() {
  const [{ openLog }, { startNode }] = await Promise.all([import("./log.ts"), import("./start-node.ts")]);
  return { openLog, startNode };
}

/** Starts the node of whoever holds this agent's lock. It rejects with the lock given back. */
export async function ownAgent(
  options: OwningOptions,
  lock: OwnerLock,
  agentId: string,
  isBrief = false,
): Promise<RunningNode> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => lock.release());
  const config = parseConfig(process.env);
  const agent = await openAgent(options);
  // The passport was replaced between looking for the owner and becoming it: the lock is another agent's.
  if (agent.signer.agentId !== agentId) throw nodeError("PASSPORT_CHANGED");
  const assembly = await assemblyOf(options);
  const { openLog, startNode } = await running();
  const log = openLog(agent.places.log);
  for (const warning of config.warnings) log.warn("config.warning", { warning });
  undo.move();
  const version = options.version ?? VERSION;
  const node = await startNode({ ...agent, config, version, assembly, lock, log, isBrief });
  setTimeout(() => flushCompileCache(), FLUSH_AFTER_MS).unref();
  return node;
}

/** Answers what a server offers, to a client that may never ask for more. */
export async function servePreview(options: OwningOptions, stream: Duplex): Promise<void> {
  const { preview } = await assemblyOf(options);
  const identity = { name: "darkmatter", title: "DarkMatter", version: options.version ?? VERSION };
  serveMcpStream(
    preview,
    { input: stream, output: stream },
    { session: "preview", identity, onError: () => undefined },
  );
}

export async function assemblyOf({ assembly }: OwningOptions): Promise<Assembly> {
  if (assembly) return assembly();
  const { nodeAssembly } = await import("../node-assembly.ts");
  return nodeAssembly;
}
