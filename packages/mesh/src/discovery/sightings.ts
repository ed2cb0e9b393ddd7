import { SECOND_MS } from "@darkmatter/core";
import type { Beacon } from "./beacon.ts";

/** A peer that is not seen again within this disappears (mesh.md 8). */
export const DISCOVERED_LIFETIME_MS = 90 * SECOND_MS;
/** Half for this machine, half for the network around: neither crowds the other out. */
export const DISCOVERED_MAX = 500;
const HALF = DISCOVERED_MAX / 2;
/** Agents listed of one address of the network. */
export const LISTED_PER_ADDRESS_MAX = 32;

export interface DiscoveredPeer {
  readonly agentId: string;
  readonly url: string;
  readonly bio: string;
  readonly status: string;
  readonly accepting: boolean;
  readonly source: "local" | "lan";
  readonly seenAtMs: number;
}

interface Sighting extends DiscoveredPeer {
  /** Where in the network; `undefined` on this machine. */
  readonly address: string | undefined;
  /** When the newest beacon was sent; `undefined` where none was heard. */
  readonly sentAt: number | undefined;
  readonly connected: boolean;
}

/** `repeat`: told before, or a replay. `full`: there is no room for another. */
export type Heard = "new" | "known" | "repeat" | "full";

/** Who was seen near lately. */
export interface Sightings {
  /** Lists an agent that answered at a URL; its word is not proven. */
  found(peer: Omit<DiscoveredPeer, "seenAtMs">, address?: string): void;
  /** Takes a genuine beacon. Where it says a connected agent is, is a hint: the connection leads where it led. */
  heard(beacon: Beacon, address: string, connected: boolean): Heard;
  /** Whether agents were seen at an address of the network. */
  knows(address: string): boolean;
  /** The addresses of the network where agents were seen. */
  addresses(): readonly string[];
  all(): readonly DiscoveredPeer[];
  /** Forgets who was not seen for long. */
  prune(): void;
}

/** `now` in milliseconds since the epoch. */
export function createSightings(now: () => number): Sightings {
  const seen = new Map<string, Sighting>();
  const onLan = () => [...seen.values()].filter(({ source }) => source === "lan");

  function prune(): void {
    for (const [id, { seenAtMs }] of seen) if (now() - seenAtMs > DISCOVERED_LIFETIME_MS) seen.delete(id);
  }

  /**
   * Makes room for one more of an address: at the cost of that address while it has its share, and of the address
   * with the most otherwise, so that throw-away ids push out one another. Connected peers stay.
   */
  function makeRoom(address: string, connected: boolean): boolean {
    const lan = onLan();
    const shares = new Map<string, Sighting[]>();
    for (const one of lan) {
      if (!one.connected) shares.set(`${one.address}`, [...(shares.get(`${one.address}`) ?? []), one]);
    }
    const own = shares.get(address) ?? [];
    if (own.length < LISTED_PER_ADDRESS_MAX && lan.length < HALF) return true;
    let largest = own;
    if (own.length < LISTED_PER_ADDRESS_MAX)
      for (const share of shares.values()) if (share.length > largest.length) largest = share;
    const [oldest] = largest.sort((one, other) => one.seenAtMs - other.seenAtMs);
    if (oldest) seen.delete(oldest.agentId);
    return oldest !== undefined || connected;
  }

  return {
    prune,

    found(peer, address) {
      const known = seen.get(peer.agentId);
      // What an agent signed is not replaced by what somebody answered.
      if (address !== undefined && known) return;
      const local = [...seen.values()].filter(({ source }) => source === "local");
      const fits = address === undefined ? local.length < HALF : makeRoom(address, false);
      if (!known && !fits) return;
      seen.set(peer.agentId, { ...peer, seenAtMs: now(), address, sentAt: undefined, connected: false });
    },

    heard({ agentId, port, sentAt, bio, status, accepting }, address, connected) {
      prune();
      const known = seen.get(agentId);
      // An agent of this machine is nearer than its beacon.
      if (known?.source === "local") return "repeat";
      const url = `http://${address}:${port}`;
      // Only what is newer may say another place: a beacon can be sent again by anyone from anywhere.
      const last = known?.sentAt;
      if (last !== undefined && (sentAt < last || (sentAt === last && url !== known?.url))) return "repeat";
      if (!known && !makeRoom(address, connected)) return "full";
      seen.set(agentId, {
        agentId,
        url,
        bio,
        status,
        accepting,
        source: "lan",
        seenAtMs: now(),
        address,
        sentAt,
        connected,
      });
      return known ? "known" : "new";
    },

    knows: (address) => onLan().some((one) => one.address === address),
    addresses: () => [...new Set(onLan().map(({ address }) => `${address}`))],

    all() {
      prune();
      return [...seen.values()].map(({ address: _a, sentAt: _s, connected: _c, ...peer }) => peer);
    },
  };
}
