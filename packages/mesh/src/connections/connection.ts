import type { JsonObject } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";

export const PENDING_REQUESTS_MAX = 50;
/** How long a challenge may be answered, inclusive (mesh.md 5.2). */
export const CHALLENGE_LIFETIME_MS = 60_000;

/** An agent we agreed to talk with (mesh.md 6.4). */
export interface Connection {
  readonly agentId: string;
  readonly url: string;
  readonly bio: string;
  readonly displayName: string | null;
  /** Once set it is never replaced; it equals the agent id. */
  readonly publicKeyHex: string | null;
  readonly wallets: Readonly<Record<string, string>>;
  /** Transport name to address. */
  readonly addresses: Readonly<Record<string, string>>;
  /** When the peer says it was born (ISO 8601). */
  readonly peerCreatedAt: string | null;
  readonly connectedAt: string;
  readonly lastActivity: string | null;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly messagesDeclined: number;
  readonly totalResponseTimeMs: number;
  /** Messages a minute: 0 the node's default, -1 unlimited. */
  readonly rateLimit: number;
  /** The peer proved its key, by a challenge or a signed message. */
  readonly identityVerified: boolean;
  /** Extensions the peer announced (mesh.md 22). */
  readonly features: readonly string[];
  /** Where it is in its own network, of use only to agents behind the same router. */
  readonly lanUrl: string | null;
}

/** Extensions remembered of a peer. */
export const FEATURES_MAX = 32;

/** What two agents tell each other about themselves when they connect. */
export interface PeerDetails {
  readonly agentId: string;
  readonly url: string;
  readonly bio: string;
  readonly displayName: string | null;
  readonly publicKeyHex: string | null;
  readonly wallets: Readonly<Record<string, string>>;
  readonly createdAt: string | null;
  readonly features: readonly string[];
}

/** A verified word of a peer about itself: where it is now, and what it does. */
export interface PeerUpdate {
  readonly agentId: string;
  readonly url: string;
  readonly addresses: Readonly<Record<string, string>>;
  /** Where it is in its own network. */
  readonly lanUrl: string | undefined;
  readonly bio: string | undefined;
  readonly displayName: string | undefined;
  readonly features: readonly string[];
  /** When it signed this, in milliseconds since the epoch. */
  readonly toldAtMs: number;
}

/** A request to connect that waits for our agent's decision. */
export interface PendingRequest extends PeerDetails {
  readonly requestId: string;
  readonly mutual: boolean;
  readonly requestedAtMs: number;
  readonly challenge: { readonly id: string; readonly hex: string; readonly issuedAtMs: number } | null;
  /** The requester proved its key. */
  readonly proven: boolean;
  /** What our peers think of the requester, once they were asked (mesh.md 6.3). */
  readonly peerTrust: JsonObject | null;
}

/** A request of ours that waits for the other agent's decision. */
export interface OutboundRequest {
  readonly baseUrl: string;
  /** The id the target answered with, when it has answered. */
  readonly agentId: string | null;
  readonly requestedAtMs: number;
}

/** The extensions this node speaks (mesh.md 22). */
export const FEATURES = [
  "digest/1",
  "receipts/1",
  "journal/1",
  "lognames/1",
  "channel/1",
  "ids25h/1",
  "sealed/1",
  "antimatter/1",
  "shards/1",
] as const;
export type Feature = (typeof FEATURES)[number];

export function speaks(connection: Connection | undefined, feature: Feature): boolean {
  return connection?.features.includes(feature) ?? false;
}

/** Where the mesh endpoints of a connection are. */
export function endpoint(url: string, path: string): string {
  return `${baseUrl(url)}/__darkmatter__/${path}`;
}

/** Mean of the time replies took, in milliseconds (mesh.md 6.4). */
export function meanResponseTimeMs(connection: Connection): number {
  if (connection.messagesReceived === 0) return 0;
  return Math.round((connection.totalResponseTimeMs / connection.messagesReceived) * 100) / 100;
}

/** A short name for screens and logs: never a peer's text where it could be read as instruction. */
export function shortId(agentId: string): string {
  return agentId.slice(0, 12);
}
