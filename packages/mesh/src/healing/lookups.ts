import { SECOND_MS } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import type { Background } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import { moveConnection } from "../connections/peer-updates.store.ts";
import type { PeerUpdates } from "../connections/peer-updates.ts";
import type { MeshPorts } from "../ports.ts";
import type { Asking, Candidate } from "./asking.ts";

/** Finding a connected agent that is not where it was. */
export interface Lookups {
  /**
   * Looks for an agent in the background: once at a time, at most every 5 s or `pauseMs`. What is found and confirmed is stored,
   * and the agent told where we are, since it may have looked for us as well.
   */
  seekSoon(agentId: string, pauseMs?: number): void;
  /** The same, now, and without the pause. Whether it was found. */
  seek(agentId: string): Promise<boolean>;
  /** An agent was seen at a URL: one that is connected and not where it was is looked for. */
  sighted(agentId: string, url: string): void;
}

/** Who was seen near, without asking and by asking. */
export interface Sightings {
  seen(): readonly Sighting[];
  scan(): Promise<readonly Sighting[]>;
}

interface Sighting {
  readonly agentId: string;
  readonly url: string;
}

const PAUSE_MS = 5 * SECOND_MS;
/** Places looked at for one agent, best first: liars must not keep us busy. */
const CANDIDATES_MAX = 3;
const SOUGHT_MAX = 1000;

export interface LookupServices {
  readonly asking: Asking;
  readonly background: Background;
  readonly connections: Connections;
  readonly peerUpdates: Pick<PeerUpdates, "tell">;
  readonly sightings: Sightings;
}

export function createLookups(
  { db, clock }: Pick<MeshPorts, "db" | "clock">,
  { asking, background, connections, peerUpdates, sightings }: LookupServices,
): Lookups {
  /** When each was last looked for, by the monotonic clock. */
  const soughtAtMs = new Map<string, number>();
  const running = new Map<string, Promise<boolean>>();

  async function firstConfirmed(agentId: string, candidates: readonly Candidate[]): Promise<string> {
    for (const candidate of candidates.slice(0, CANDIDATES_MAX)) {
      if (await asking.confirms(candidate, agentId)) return candidate.url;
    }
    throw new Error("not found");
  }

  function near(agentId: string, sighted: readonly Sighting[], known: string): readonly Candidate[] {
    const urls = sighted.filter((one) => one.agentId === agentId).map(({ url }) => baseUrl(url));
    return urls.filter((url) => url !== known).map((url) => ({ url, reach: "private" as const }));
  }

  /** What is seen near is asked first; then everybody at once. */
  async function find(agentId: string, known: string): Promise<string | undefined> {
    const excluded = new Set([known]);
    const ways = [
      async () => firstConfirmed(agentId, near(agentId, sightings.seen(), known)),
      () =>
        Promise.any([
          asking.where(agentId, excluded).then((candidates) => firstConfirmed(agentId, candidates)),
          sightings.scan().then((sighted) => firstConfirmed(agentId, near(agentId, sighted, known))),
        ]),
    ];
    for (const way of ways) {
      const url = await way().catch(() => undefined);
      if (url !== undefined) return url;
    }
    return undefined;
  }

  async function look(agentId: string): Promise<boolean> {
    const peer = await connections.get(db, agentId);
    if (!peer) return false;
    const url = await find(agentId, baseUrl(peer.url));
    if (url === undefined) return false;
    // What the agent itself signed meanwhile is better than what was found.
    const moved = await db.write((tx) => moveConnection(tx, agentId, peer.url, url));
    if (!moved) return true;
    // Its answer is the sign of life that others wait for.
    await peerUpdates.tell({ ...peer, url, lanUrl: null });
    return true;
  }

  function seek(agentId: string): Promise<boolean> {
    const before = running.get(agentId);
    if (before) return before;
    if (soughtAtMs.size >= SOUGHT_MAX) soughtAtMs.clear();
    soughtAtMs.set(agentId, clock.monotonic());
    const now = look(agentId).finally(() => running.delete(agentId));
    running.set(agentId, now);
    return now;
  }

  function rests(agentId: string, pauseMs = PAUSE_MS): boolean {
    const last = soughtAtMs.get(agentId);
    return running.has(agentId) || (last !== undefined && clock.monotonic() - last < pauseMs);
  }

  return {
    seek,

    seekSoon(agentId, pauseMs) {
      if (rests(agentId, pauseMs)) return;
      background.start("peer.sought", async () => void (await seek(agentId)), agentId);
    },

    sighted(agentId, url) {
      if (rests(agentId)) return;
      background.start("peer.sighted", async () => {
        const peer = await connections.get(db, agentId);
        const known = peer && baseUrl(peer.url);
        if (known === undefined || known === baseUrl(url)) return;
        // It may well be at both: what works stays.
        if (!(await asking.confirms({ url: known, reach: "private" }, agentId))) await seek(agentId);
      });
    },
  };
}
