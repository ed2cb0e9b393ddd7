import type { Clock, Random } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import type { Database, Journal, Migration } from "@darkmatter/store";
import type { Job, Route, ToolTable } from "@darkmatter/surface";

/** What of the configuration the layers are given. */
export interface LayerConfig {
  readonly displayName: string | undefined;
  readonly bio: string | undefined;
  readonly publicUrl: string | undefined;
  readonly maxConnections: number;
  readonly inboxMax: number;
  readonly rateGlobal: number;
  readonly ratePerConnection: number;
  readonly requestExpiryMs: number;
  readonly acceptStrangers: boolean;
  readonly discovery: boolean;
  readonly discoveryPorts: readonly number[];
  readonly passportPath: string;
}

/** What a layer stands on. */
export interface LayerPorts {
  readonly db: Database;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly journal: Journal;
  readonly config: LayerConfig;
  /** Where the node listens; `undefined` before it does, and in a node that only reads. */
  listening(): { readonly host: string; readonly port: number } | undefined;
  readonly report: (event: string, context: Readonly<Record<string, string | number>>) => void;
}

/** A layer as the node runs it. Nothing is written and nothing is sent before `start`. */
export interface Layer {
  readonly routes: readonly Route[];
  readonly tools: ToolTable;
  readonly jobs: readonly Job[];
  start(): Promise<void>;
  /** Waits for what is on its way out. */
  stop(): Promise<void>;
}

/** What a node is made of: the mesh, or a small stand-in where only the owner and its sessions are tried. */
export interface Assembly {
  /** In the order they run; the store's own come first and are not among them. */
  readonly migrations: readonly Migration[];
  readonly create: (ports: LayerPorts) => Layer;
  /** What a client is shown that asks what there is while nobody owns the state; its tools are never called. */
  readonly preview: ToolTable;
}
