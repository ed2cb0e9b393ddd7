import { cutCodePoints, SECOND_MS } from "@darkmatter/core";
import { inParallel, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { createLan, type Lan, type LanServices } from "./lan.ts";
import { createSightings, type DiscoveredPeer } from "./sightings.ts";
import { askDomain, type DomainAnswer, documentOf, WELL_KNOWN } from "./well-known.ts";

/** Probes at once: a scan must not freeze the node (mesh.md 20). */
const SCAN_PARALLEL_MAX = 64;
const BIO_SHOWN = 250;
/** Where agents usually listen: asked at addresses of the network where one was heard (mesh.md 20). */
const USUAL_PORTS = [8100, 8101, 8200];
const LAN_ADDRESSES_MAX = 32;
/** How long the others get to answer our beacon with theirs: one gap between answers, and the way. */
export const ANSWERS_WAIT_MS = 1.2 * SECOND_MS;

/** Finding agents that are near (mesh.md 8). */
export interface Discovery extends Omit<Lan, "leave"> {
  /** Asks every port of the range on this machine, and the usual ones where agents were heard. */
  scan(): Promise<readonly DiscoveredPeer[]>;
  /** The same, after a beacon of ours that asks everybody for theirs. */
  fresh(): Promise<readonly DiscoveredPeer[]>;
  /** Who was seen lately, without asking. */
  peers(): readonly DiscoveredPeer[];
  /** The document at a domain or URL. */
  domain(target: string): Promise<DomainAnswer>;
  prune(): void;
  /** Leaves the local network. */
  stop(): Promise<void>;
}

export function createDiscovery(ports: MeshPorts, peers: Peers, services: LanServices): Discovery {
  const { clock, config, signer, listening, wire } = ports;
  const sightings = createSightings(clock.now);
  const { leave, ...lan } = createLan(ports, services, sightings);

  async function probe(url: string, address?: string): Promise<void> {
    const call = { url: `${url}${WELL_KNOWN}`, timeoutMs: TIMEOUT_MS.scan, reach: "private" as const };
    // Nobody listens on most ports: no answer is the usual one.
    const answer = await peers.get(call).catch(() => undefined);
    const document = answer && documentOf(answer);
    if (!document || document.agent_id === signer.agentId) return;
    const peer = {
      agentId: document.agent_id,
      url,
      bio: cutCodePoints(typeof document.bio === "string" ? document.bio : "", BIO_SHOWN),
      status: document.status === "inactive" ? "inactive" : "active",
      accepting: document.accepting_connections === true,
      source: address === undefined ? ("local" as const) : ("lan" as const),
    };
    sightings.found(peer, address);
  }

  async function scan(): Promise<readonly DiscoveredPeer[]> {
    const own = listening()?.port;
    const here = config.discoveryPorts
      .filter((port) => port !== own)
      .map((port) => ({ url: `http://127.0.0.1:${port}`, address: undefined }));
    const listed = new Set(sightings.all().map(({ url }) => url));
    const around = sightings
      .addresses()
      .slice(0, LAN_ADDRESSES_MAX)
      .flatMap((address) => USUAL_PORTS.map((port) => ({ url: `http://${address}:${port}`, address })))
      .filter(({ url }) => !listed.has(url));
    await inParallel([...here, ...around], SCAN_PARALLEL_MAX, ({ url, address }) => probe(url, address));
    return sightings.all();
  }

  return {
    ...lan,
    scan,

    async fresh() {
      const asking = lan.announce({ asks: true });
      await scan();
      await asking;
      if (lan.signals.isOn()) await clock.sleep(ANSWERS_WAIT_MS);
      return sightings.all();
    },

    peers: sightings.all,
    domain: (target) => askDomain(target, wire),
    prune: sightings.prune,
    stop: leave,
  };
}
