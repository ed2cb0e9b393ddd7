import { MINUTE_MS } from "@darkmatter/core";
import type { Addresses } from "../addresses/addresses.ts";
import type { Background } from "../background.ts";
import type { Connection } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { PeerUpdates } from "../connections/peer-updates.ts";
import type { PeerUrls } from "../connections/peer-urls.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { PeerAnswer, Peers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Channels } from "../transports/channels.ts";
import type { Connectivity } from "../transports/connectivity.ts";
import type { Transports } from "../transports/transport.ts";
import type { Asking } from "./asking.ts";
import { createHealth, type Health } from "./health.ts";
import { createLookups, type Lookups } from "./lookups.ts";
import { createSleepWatch } from "./wake.ts";

/** What a node does so that those who talk with it find it again, and it them (mesh.md 9, docs/transports.md). */
export interface Healing {
  readonly lookups: Lookups;
  readonly health: Health;
  /** Says where we are to everybody, at once: we started, moved or slept. */
  rejoin(): Promise<void>;
  /** To be called each second: rejoins after a sleep. */
  watch(): Promise<void>;
  /** To be called each few seconds: rejoins when this machine's addresses are others. */
  lookAround(): Promise<void>;
  /** Looks for the public address anew, and says so when it is another. */
  lookOutside(): Promise<void>;
  /** Called at each rejoining: whoever waits for a peer tries again. */
  onRejoin(listener: () => void): Disposable;
  /** Called when the public address was found to be another. */
  onAddress(listener: () => void): void;
}

export interface HealingServices {
  readonly addresses: Addresses;
  readonly asking: Asking;
  readonly background: Background;
  readonly channels: Pick<Channels, "to">;
  readonly connections: Connections;
  readonly connectivity: Connectivity;
  readonly discovery: Pick<Discovery, "announce" | "onSighting" | "peers" | "scan">;
  readonly peers: Peers;
  readonly peerUpdates: PeerUpdates;
  readonly peerUrls: PeerUrls;
}

export function createHealing(ports: MeshPorts, services: HealingServices): Healing {
  const { addresses, background, connections, connectivity, discovery, peerUpdates } = services;
  const { config, wire } = ports;
  const hasSlept = createSleepWatch(ports);
  const listeners = new Set<() => void>();
  const addressListeners = new Set<() => void>();
  const sightings = {
    seen: () => discovery.peers(),
    scan: async () => (config.discovery ? discovery.scan() : []),
  };
  const lookups = createLookups(ports, { ...services, sightings });
  const { peers, peerUrls, channels } = services;
  const hasChannel = (agentId: string) => channels.to(agentId) !== undefined;
  const health = createHealth(ports, connections, connectivity, peers, peerUrls, lookups, hasChannel);

  connectivity.onHeard((agentId) => {
    if (!peerUpdates.owes(agentId)) return;
    background.start("peer.caught-up", () => peerUpdates.catchUp(agentId), agentId);
  });
  discovery.onSighting(lookups.sighted);

  async function rejoin(): Promise<void> {
    addresses.look();
    // What was open may be dead without a word, and would swallow the first request.
    wire.renew?.();
    for (const listener of listeners) listener();
    background.start("peers.told-near", () => discovery.announce());
    await peerUpdates.broadcast("near");
    await detect();
    await peerUpdates.broadcast("far");
  }

  async function detect(): Promise<boolean> {
    const differs = await addresses.detect();
    if (differs) for (const listener of addressListeners) listener();
    return differs;
  }

  return {
    lookups,
    health,
    rejoin,

    // In the background: a round that waits for a silent peer must not miss the next sleep.
    async watch() {
      if (hasSlept()) background.start("node.rejoins", rejoin);
    },

    async lookAround() {
      if (addresses.look()) background.start("node.rejoins", rejoin);
    },

    async lookOutside() {
      if (await detect()) await peerUpdates.broadcast("far");
    },

    onRejoin(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },

    onAddress: (listener) => void addressListeners.add(listener),
  };
}

/** A peer that only an anchor can be told for is looked for too, though less often: it may never be reached otherwise. */
const RELAYED_PAUSE_MS = MINUTE_MS;

/** The same transports; whoever does not answer by any, or whose place another has, is looked for in the background. */
export function seekingTransports(transports: Transports, seekSoon: Lookups["seekSoon"]): Transports {
  return {
    ...transports,
    async call(peer, request) {
      const outcome = await transports.call(peer, request);
      if (outcome.kind === "failed") seekSoon(peer.agentId);
      if (outcome.kind === "unconfirmed" && outcome.way === "anchor")
        seekSoon(peer.agentId, RELAYED_PAUSE_MS);
      if (outcome.kind === "answered" && request.path === "status" && !isOf(outcome.answer, peer)) {
        seekSoon(peer.agentId);
      }
      return outcome;
    },
  };
}

/** Whatever got the peer's port answers as readily as the peer would. */
const isOf = ({ body }: PeerAnswer, { agentId }: Connection) => body.agent_id === agentId;
