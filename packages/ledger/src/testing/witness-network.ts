import type { Clock } from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, type Signer } from "@darkmatter/identity";
import type { Handler, InboundRequest } from "@darkmatter/net";
import { type MemoryHost, type MemoryInternet, memoryInternet } from "@darkmatter/net/testing";
import { type Checkpoint, checkpointTag, checkpointText, type SignedCheckpoint } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { createHandler } from "@darkmatter/surface";
import { callHandler, type HandlerAnswer } from "@darkmatter/surface/testing";
import { checkpointMigrations } from "../checkpoints/checkpoints.store.ts";
import { type Checkpoints, createCheckpoints } from "../checkpoints/checkpoints.ts";
import type { LedgerPeer, LedgerPorts } from "../ports.ts";
import { witnessRoutes } from "../witnesses/witnesses.routes.ts";
import { witnessMigrations } from "../witnesses/witnesses.store.ts";
import { createWitnesses, type Witnesses } from "../witnesses/witnesses.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

/** What a node was asked by another. */
export interface Heard {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The half of a ledger that speaks of its log: no commits, but a log that grows as it is told. */
export interface WitnessNode {
  readonly id: string;
  readonly signer: Signer;
  readonly asPeer: LedgerPeer;
  readonly host: MemoryHost;
  readonly db: Database;
  readonly log: MemoryLog;
  readonly checkpoints: Checkpoints;
  readonly witnesses: Witnesses;
  readonly ports: LedgerPorts;
  /** Its connections; all of them are asked to witness. */
  readonly peers: LedgerPeer[];
  readonly reports: readonly string[];
  readonly heard: readonly Heard[];
  /** Asks this node as another would; `body` as JSON, or as the text it is. */
  post(path: "checkpoint" | "evidence", body: object | string, remote?: string): Promise<HandlerAnswer>;
  /** Grows the log, and signs it as it is then. */
  checkpoint(commits: number): Promise<SignedCheckpoint>;
  /** Answers instead of the node, until it is given `undefined`. */
  answers(handler: Handler | undefined): void;
}

export interface WitnessNetwork<Name extends string> extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly internet: MemoryInternet;
  readonly nodes: Readonly<Record<Name, WitnessNode>>;
  connect(one: Name, other: Name): void;
  /** Lets what was found be told, however far it goes. */
  settle(): Promise<void>;
}

const PORT = 8100;

export async function witnessNetwork<Name extends string>(
  names: readonly Name[],
): Promise<WitnessNetwork<Name>> {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(1);
  const internet = memoryInternet({ clock, random });
  const nodes = {} as Record<Name, WitnessNode>;
  for (const [at, name] of names.entries()) {
    const host = internet.host({ address: `192.168.7.${at + 10}` });
    nodes[name] = await witnessNode({ clock, host, name, seed: random.bytes(32) });
  }
  const all = Object.values<WitnessNode>(nodes);

  return {
    clock,
    internet,
    nodes,
    connect(one, other) {
      nodes[one].peers.push(nodes[other].asPeer);
      nodes[other].peers.push(nodes[one].asPeer);
    },
    async settle() {
      // Each hop of a telling begins after the one before it.
      for (let hop = 0; hop < all.length; hop++) {
        await clock.settle();
        await Promise.all(all.map((node) => node.witnesses.idle()));
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((node) => node.witnesses.stop()));
      await Promise.all(all.map((node) => node.db.close()));
    },
  };
}

/** One node; given a database, it goes on where another left off. */
export async function witnessNode(options: {
  readonly clock: Clock;
  readonly host: MemoryHost;
  readonly name: string;
  readonly seed: Uint8Array;
  readonly db?: Database;
}): Promise<WitnessNode> {
  const { clock, host, name, seed } = options;
  const db = options.db ?? (await memoryDatabase([...checkpointMigrations, ...witnessMigrations]));
  const signer = createSigner(seed);
  const log = memoryLog();
  const peers: LedgerPeer[] = [];
  const reports: string[] = [];
  const heard: Heard[] = [];
  const ports: LedgerPorts = {
    db,
    clock,
    random: seededRandom(seed[0] ?? 0),
    signer,
    verifier: createVerifier({ threads: "never" }),
    wire: host.wire,
    peers: { witnesses: async () => [...peers], all: async () => [...peers] },
    agentName: async () => name,
    report: (event, context) => void reports.push(`${event} ${JSON.stringify(context)}`),
  };
  const checkpoints = createCheckpoints(ports, log);
  const witnesses = createWitnesses(ports, log, checkpoints);
  const handler = createHandler(witnessRoutes(witnesses, []), {
    onError: ({ error }) => void reports.push(`500 ${error instanceof Error ? error.stack : String(error)}`),
  });
  let instead: Handler | undefined;
  host.listen(PORT, (request) => {
    heard.push({ path: request.path, body: bodyOf(request) });
    return (instead ?? handler)(request);
  });

  return {
    id: signer.agentId,
    signer,
    asPeer: { agentId: signer.agentId, url: `http://${host.address}:${PORT}`, name, namesLog: true },
    host,
    db,
    log,
    checkpoints,
    witnesses,
    ports,
    peers,
    reports,
    heard,
    post: (path, body, remote = "192.168.7.99") =>
      callHandler(handler, { method: "POST", path: `/__darkmatter__/${path}`, body, remote }),
    async checkpoint(commits) {
      log.grow(commits);
      const made = await db.write((tx) => checkpoints.make(tx));
      if (!made) throw new Error("an empty log has no checkpoint");
      return made;
    },
    answers: (given) => {
      instead = given;
    },
  };
}

function bodyOf({ body }: InboundRequest): Heard["body"] {
  return JSON.parse(Buffer.from(body).toString("utf8")) as Heard["body"];
}

/** Members of a checkpoint; `idMs` renames it, with the signer's own tag. */
export type CheckpointChanges = Partial<Checkpoint> & { readonly idMs?: number };

/** A checkpoint with members of somebody's own choosing, signed all the same. */
export function signedAnew(
  signer: Signer,
  checkpoint: SignedCheckpoint,
  { idMs, ...changes }: CheckpointChanges,
): SignedCheckpoint {
  const renamed = idMs !== undefined && { checkpoint_id: `cp_${idMs}_${checkpointTag(signer.agentId)}` };
  const changed = { ...checkpoint, ...renamed, ...changes };
  return { ...changed, position: changed.log_position, server_sig: signer.sign(checkpointText(changed)) };
}
