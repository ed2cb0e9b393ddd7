import type { Database } from "@darkmatter/store";
import type { Addresses } from "./addresses/addresses.ts";
import type { Anchoring } from "./anchors/anchoring.ts";
import type { Background } from "./background.ts";
import type { Announcements } from "./connections/announcements.ts";
import type { Connection } from "./connections/connection.ts";
import type { Connections } from "./connections/connections.ts";
import type { Handshake } from "./connections/handshake.ts";
import type { PeerUpdates } from "./connections/peer-updates.ts";
import type { Requests } from "./connections/requests.ts";
import type { Discovery } from "./discovery/discovery.ts";
import type { Healing } from "./healing/healing.ts";
import type { Identity } from "./identity/identity.ts";
import type { Impressions } from "./impressions/impressions.ts";
import type { Opinions } from "./impressions/opinions.ts";
import type { Limits } from "./limits/limits.ts";
import type { Forwarding } from "./messages/forward.ts";
import type { Inbox } from "./messages/inbox.ts";
import type { Outbox } from "./messages/outbox.ts";
import type { Receiving } from "./messages/receive.ts";
import type { Replying } from "./messages/reply.ts";
import type { Sending } from "./messages/send.ts";
import type { Waiting } from "./messages/waiting.ts";
import type { Peers } from "./peers.ts";
import type { MeshPorts } from "./ports.ts";
import type { Presence } from "./presence/presence.ts";
import type { Giving } from "./receipts/giving.ts";
import type { GlanceKeeper } from "./status/glance.ts";
import type { Channels } from "./transports/channels.ts";
import type { Connectivity } from "./transports/connectivity.ts";
import type { Signalling } from "./transports/signalling.ts";
import type { Transports } from "./transports/transport.ts";
import type { Upgrades } from "./transports/upgrades.ts";
import type { Webhooks } from "./webhooks/webhooks.ts";

/** What the ways in (routes, tools, jobs) may use. */
export interface Services {
  readonly ports: MeshPorts;
  readonly db: Database;
  readonly background: Background;
  readonly peers: Peers;
  readonly connectivity: Connectivity;
  readonly transports: Transports;
  readonly anchoring: Anchoring;
  readonly channels: Channels;
  readonly signalling: Signalling;
  readonly upgrades: Upgrades;
  readonly addresses: Addresses;
  readonly healing: Healing;
  readonly identity: Identity;
  readonly presence: Presence;
  readonly limits: Limits;
  readonly connections: Connections;
  readonly requests: Requests;
  readonly handshake: Handshake;
  readonly announcements: Announcements;
  readonly peerUpdates: PeerUpdates;
  readonly impressions: Impressions;
  readonly opinions: Opinions;
  readonly receiving: Receiving;
  readonly sending: Sending;
  readonly replying: Replying;
  readonly forwarding: Forwarding;
  readonly outbox: Outbox;
  readonly giving: Giving;
  readonly inbox: Inbox;
  readonly waiting: Waiting;
  readonly webhooks: Webhooks;
  readonly discovery: Discovery;
  readonly glance: GlanceKeeper;
  /** Tells that something agents see may have changed. Cheap: call it after every act. */
  changed(): void;
  /** Tells every peer, in the background, that our bio or address changed. */
  tellPeers(): void;
  /** Tells a peer, in the background, that we ended the connection. */
  farewell(peer: Connection): void;
  isReady(): boolean;
}
