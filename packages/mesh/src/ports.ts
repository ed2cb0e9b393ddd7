import type { Clock, Random } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import type { Database, Journal } from "@darkmatter/store";

/** What the owner of a node decides; the environment of mesh.md 17. */
export interface MeshConfig {
  /** From the environment; wins over the stored name. */
  readonly displayName: string | undefined;
  /** From the environment; wins over the stored bio. */
  readonly bio: string | undefined;
  /** The base URL other agents are told; found from the listening address when undefined. */
  readonly publicUrl: string | undefined;
  readonly maxConnections: number;
  /** Unread messages held before a sender is told 429. */
  readonly inboxMax: number;
  /** Requests a minute: over all, and from each connection. -1 is unlimited. */
  readonly rateGlobal: number;
  readonly ratePerConnection: number;
  readonly requestExpiryMs: number;
  /** Whether signed messages of agents we are not connected to are taken. */
  readonly acceptStrangers: boolean;
  readonly discovery: boolean;
  readonly discoveryPorts: readonly number[];
  /** Where the key lies; shown to the agent, never read by the mesh. */
  readonly passportPath: string;
}

/** Where a node listens, once it does. */
export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** Says what went wrong in the background. Never gets key material or message content. */
export type Report = (event: string, context: Readonly<Record<string, string | number>>) => void;

/** Everything the mesh stands on. */
export interface MeshPorts {
  readonly db: Database;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly journal: Journal;
  readonly config: MeshConfig;
  /** Where we listen; `undefined` before we do. */
  listening(): Listening | undefined;
  readonly report: Report;
}
