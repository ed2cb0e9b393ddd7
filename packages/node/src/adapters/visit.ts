import { randomUUID } from "node:crypto";
import { type Duplex, duplexPair } from "node:stream";
import { hasCode, systemClock, systemRandom } from "@darkmatter/core";
import { createVerifier, findPassport } from "@darkmatter/identity";
import { createUndiciWire } from "@darkmatter/net";
import {
  type Database,
  migrate,
  nodeFiles,
  openSqlite,
  requireMigrated,
  storeMigrations,
} from "@darkmatter/store";
import { serveMcpStream } from "@darkmatter/surface";
import type { Layer } from "../assembly.ts";
import { parseConfig } from "../config.ts";
import { nodeError } from "../errors.ts";
import { RELAY_PROTOCOL } from "../handshake.ts";
import { VERSION } from "../version.ts";
import { type OwnerCard, readOwnerCard } from "./owner-card.ts";
import { findOwner } from "./owner-search.ts";
import { type Agent, assemblyOf, type OwningOptions, openAgent, ownAgent, passportSearch } from "./owning.ts";
import { openToolClient, type ToolClient } from "./tool-client.ts";

/** What a command does its work with. */
export interface Visit extends ToolClient {
  readonly agent: Agent;
  /** The owner that runs already; `undefined` when this command had to be it, or only reads. */
  readonly owner: OwnerCard | undefined;
}

/**
 * Does something with an agent's node: through the owner that runs, else, to `act`, as a temporary owner, which is
 * reachable meanwhile; else, to `read`, from the database alone, changing nothing.
 * @throws the reason why an owner that exists does not answer
 */
export async function visit<T>(
  options: OwningOptions & { readonly signal: AbortSignal },
  purpose: "read" | "act",
  body: (visit: Visit) => Promise<T>,
): Promise<T> {
  if (purpose === "read") await requirePassport(options);
  const agent = await openAgent(options);
  const version = options.version ?? VERSION;
  const session = { session: randomUUID(), called: [], role: "command" as const };
  const found = await findOwner({
    ...agent.places,
    socket: agent.socket,
    hello: { darkmatter: RELAY_PROTOCOL, version, pid: process.pid, ...session },
    mayOwn: () => purpose === "act",
    signal: options.signal,
  });
  await using undo = new AsyncDisposableStack();
  const use = async (stream: Duplex, owner?: OwnerCard) => {
    undo.defer(() => void stream.destroy());
    return await body({ agent, owner, ...(await openToolClient(stream, version)) });
  };

  // @NOTE `return await`: what is returned otherwise is awaited after everything here has been undone.
  if (found.kind === "trouble") throw nodeError(found.trouble);
  if (found.kind === "attached") return await use(found.socket, readOwnerCard(agent.places.ownerCard));
  const [near, far] = duplexPair();
  if (found.kind === "held") {
    const node = await ownAgent(options, found.lock, agent.signer.agentId, true);
    undo.defer(() => node.stop());
    node.serve(far, session);
  } else {
    const { layer } = await openLayer(options, agent, "read", undo);
    serveMcpStream(
      layer.tools,
      { input: far, output: far },
      {
        session: session.session,
        isOwner: true,
        identity: { name: "darkmatter", version },
        onError: () => undefined,
      },
    );
  }
  return await use(near);
}

/**
 * Reads an agent's state from its database, whether or not a node runs, and changes nothing.
 * @throws NO_NODE, DATABASE_*
 */
export async function look<T>(
  options: OwningOptions,
  body: (state: { readonly agent: Agent; readonly db: Database; readonly layer: Layer }) => Promise<T>,
): Promise<T> {
  await requirePassport(options);
  const agent = await openAgent(options);
  await using undo = new AsyncDisposableStack();
  return await body({ agent, ...(await openLayer(options, agent, "read", undo)) });
}

/** Looking must not make an agent where there is none. @throws NO_NODE */
async function requirePassport(options: OwningOptions): Promise<void> {
  const { exists } = await findPassport(nodeFiles, passportSearch(options));
  if (!exists) throw nodeError("NO_NODE", "There is no agent here yet.");
}

/** What can be read of it, even where it is damaged: that is then said beside whatever is shown. */
async function openForReading(path: string): Promise<Database> {
  try {
    return await openSqlite({ path, readOnly: true });
  } catch (error) {
    if (!hasCode(error, "DATABASE_DAMAGED")) throw error;
    const db = await openSqlite({ path, readOnly: true, evenDamaged: true });
    process.stderr.write(
      "The database is damaged: only what can still be read of it is shown. See: darkmatter fsck\n",
    );
    return db;
  }
}

/**
 * The database and its layers with no node around them: nothing is started, nothing listens. To `write`, hold the
 * lock. @throws NO_NODE, DATABASE_*
 */
export async function openLayer(
  options: OwningOptions,
  agent: Agent,
  purpose: "read" | "write",
  undo: AsyncDisposableStack,
): Promise<{ readonly db: Database; readonly layer: Layer }> {
  const [assembly, { bundleFilesIn }, { walletsOf }] = await Promise.all([
    assemblyOf(options),
    import("./bundle-file.ts"),
    import("./wallets.ts"),
  ]);
  const card = readOwnerCard(agent.places.ownerCard);
  // Every owner writes a card before anything else: without one there never was any.
  if (purpose === "read" && card === undefined) throw nodeError("NO_NODE");
  const path = agent.places.database;
  const db = await (purpose === "read" ? openForReading(path) : openSqlite({ path }));
  undo.use(db);
  const migrations = [...storeMigrations, ...assembly.migrations];
  await (purpose === "read" ? requireMigrated(db, migrations) : migrate(db, migrations));
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const config = parseConfig(process.env);
  const layer = assembly.create({
    db,
    wire,
    clock: systemClock,
    random: systemRandom,
    signer: agent.signer,
    verifier: createVerifier(),
    config: { ...config, passportPath: agent.passportPath },
    wallets: walletsOf(config, agent.signer, wire),
    listening: () => (card?.port ? { host: card.host, port: card.port } : undefined),
    bundleFiles: bundleFilesIn(agent.places.exports),
    report: () => undefined,
    lanAddresses: () => [],
    serving: () => undefined,
  });
  return { db, layer };
}
