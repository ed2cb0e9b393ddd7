import { addressClass, baseUrl } from "@darkmatter/net";
import { hostOf } from "../addresses/addresses.ts";
import type { Connection } from "./connection.ts";

/** Where a connected agent may be reached. */
export interface PeerUrls {
  /**
   * Base URLs, best first: the one that last worked, its LAN address where it shares our public one (few routers let
   * their own in again from outside), the one it gave.
   */
  of(peer: Connection): readonly string[];
  /** An agent answered there. */
  worked(agentId: string, url: string): void;
}

/** Agents whose last way is remembered. */
const REMEMBERED_MAX = 1000;

export function createPeerUrls(ownPublicHost: () => string | undefined): PeerUrls {
  const last = new Map<string, string>();

  function isNeighbour(given: string): boolean {
    const own = ownPublicHost();
    return own !== undefined && hostOf(given) === own;
  }

  return {
    of(peer) {
      const given = baseUrl(peer.url);
      const urls = peer.lanUrl && isNeighbour(given) ? [peer.lanUrl, given] : [given];
      const best = last.get(peer.agentId);
      return best !== undefined && urls.includes(best) ? [best, ...urls.filter((url) => url !== best)] : urls;
    },

    worked(agentId, url) {
      if (!last.has(agentId) && last.size >= REMEMBERED_MAX) last.clear();
      last.set(agentId, url);
    },
  };
}

/** The address in its own network that an agent told with its public one; `undefined` for what is none. */
export function lanUrlOf(ip: unknown, port: unknown): string | undefined {
  const isPort = Number.isInteger(port) && Number(port) > 0 && Number(port) <= 65_535;
  if (typeof ip !== "string" || addressClass(ip) !== "private" || !isPort) return undefined;
  return `http://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
}
