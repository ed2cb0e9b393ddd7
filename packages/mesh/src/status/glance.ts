import type { Read } from "@darkmatter/store";
import type { Connection } from "../connections/connection.ts";
import type { Profile } from "../identity/identity.ts";
import type { Status } from "../presence/presence.ts";
import { readCounts } from "./glance.store.ts";

/** The state of a node in numbers: what visibility, hints and the live status are made of. */
export interface Glance {
  readonly connections: number;
  readonly pendingRequests: number;
  readonly unread: number;
  /** Notes of this node that its agent was not shown yet. */
  readonly notes: number;
  readonly notesEver: number;
  readonly handled: number;
  readonly sent: number;
  readonly awaitingReply: number;
  /** In the conversation, and ever. */
  readonly inboundBroadcasts: number;
  readonly broadcastsEver: number;
  readonly conversations: number;
  readonly ownShards: number;
  /** Mirrors of what peers share: now, and ever taken. */
  readonly peerShards: number;
  readonly shardsTaken: number;
  readonly status: Status;
  readonly hasGenericBio: boolean;
  readonly hasName: boolean;
  /** Ids only: this part reaches descriptions, where no peer's text may stand. */
  readonly peers: readonly Pick<Connection, "agentId">[];
}

export const EMPTY_GLANCE: Glance = {
  connections: 0,
  pendingRequests: 0,
  unread: 0,
  notes: 0,
  notesEver: 0,
  handled: 0,
  sent: 0,
  awaitingReply: 0,
  inboundBroadcasts: 0,
  broadcastsEver: 0,
  conversations: 0,
  ownShards: 0,
  peerShards: 0,
  shardsTaken: 0,
  status: "active",
  hasGenericBio: true,
  hasName: true,
  peers: [],
};

/** The latest glance, and how to take another. */
export interface GlanceKeeper {
  now(): Glance;
  refresh(): Promise<Glance>;
}

export interface GlanceSources {
  readonly status: Status;
  readonly profile: Profile;
  readonly genericBios: readonly string[];
}

export async function takeGlance(tx: Read, { status, profile, genericBios }: GlanceSources): Promise<Glance> {
  const counts = (await readCounts(tx)) ?? EMPTY_GLANCE;
  return {
    ...counts,
    connections: counts.peers.length,
    status,
    hasGenericBio: genericBios.includes(profile.bio.trim()),
    hasName: profile.displayName !== "",
  };
}
