import type { Background } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { Peers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Channels } from "./channels.ts";
import type { Connectivity } from "./connectivity.ts";
import { lanPath } from "./lan-path.ts";
import { answerAnchorOffers, answerLanOffers, type OfferCarrier } from "./offers-in.ts";
import { anchorPath, directPath, peerRelayPath, type SdpRelay } from "./signal-paths.ts";
import { createSignalling, type Signalling } from "./signalling.ts";
import type { Transport, Transports } from "./transport.ts";
import { createUpgrades, type Upgrades } from "./upgrades.ts";

export interface LinkServices {
  readonly background: Background;
  readonly channels: Channels;
  readonly connections: Connections;
  readonly connectivity: Connectivity;
  readonly discovery: Discovery;
  readonly http: Transport;
  readonly peers: Peers;
  readonly transports: Transports;
  /** Absent where no anchors are known to the code that puts this together. */
  readonly anchor?: SdpRelay & OfferCarrier;
}

/** Opening channels: every way an offer may go and come, and when it is made. */
export function createLinks(
  ports: MeshPorts,
  services: LinkServices,
): { signalling: Signalling; upgrades: Upgrades } {
  const { background, channels, connections, connectivity, discovery, http, transports, anchor } = services;
  const { clock, db, signer } = ports;
  const isNear = (agentId: string) =>
    discovery.peers().some((peer) => peer.agentId === agentId && peer.source === "lan");
  const paths = [
    // First where beacons are heard: it needs neither a port that is open nor an address that is still right.
    lanPath({ clock, signals: discovery.signals, isNear }),
    directPath(http),
    peerRelayPath({
      clock,
      self: signer.agentId,
      transports,
      connectivity,
      connections: () => connections.all(db),
    }),
    ...(anchor ? [anchorPath(anchor)] : []),
  ];
  const signalling = createSignalling(ports, connections, channels, paths);
  if (ports.webRtc) {
    answerLanOffers(signalling, discovery.signals, background);
    if (anchor) answerAnchorOffers(signalling, anchor);
  }
  return { signalling, upgrades: createUpgrades(ports, { ...services, signalling }) };
}
