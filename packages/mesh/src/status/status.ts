import { PEER_WORDS, quoted } from "../answers.ts";
import { readEntries } from "../conversation/conversation.store.ts";
import type { Services } from "../services.ts";
import type { Glance } from "./glance.ts";
import { type Attention, type StatusInput, statusText } from "./status-text.ts";

const NAME_SHOWN = 40;
const BIO_SHOWN = 60;
/** How many of the last conversation entries are looked through for broadcasts. */
const RECENT_ENTRIES = 50;

/** The status for a tool description: ids and numbers, no text of any peer. */
export function statusForDescription(
  glance: Glance,
  maxConnections: number,
  wallets: StatusInput["wallets"],
): string {
  const peers = glance.peers.map(({ agentId }) => plainPeer(agentId.slice(0, 8)));
  const requests =
    glance.pendingRequests > 0
      ? [`${glance.pendingRequests} agent(s) want to connect: darkmatter_list_pending_requests.`]
      : [];
  return statusText(inputOf(glance, "you", peers, maxConnections, wallets), attentionOf(glance, requests, 0));
}

/** The status as a result: with names and requests, marked as the peers' own words. */
export async function statusForResult(services: Services): Promise<string> {
  const { db, glance: keeper, identity, connections, requests, ports } = services;
  const glance = await keeper.refresh();
  const { displayName } = await identity.profile(db);
  const peers = (await connections.all(db)).map((peer) =>
    plainPeer(peer.displayName ? quoted(peer.displayName, NAME_SHOWN) : peer.agentId.slice(0, 8)),
  );
  const pending = (await requests.pending(db)).map(({ requestId, agentId, displayName: name, bio }) => {
    const who = `An agent (${agentId.slice(0, 12)}), name ${quoted(name ?? "", NAME_SHOWN)}, bio ${quoted(bio, BIO_SHOWN)},`;
    const decide = (action: string) => `darkmatter_connection(action="${action}", request_id="${requestId}")`;
    return `${who} wants to connect: ${decide("accept")} or ${decide("reject")}.`;
  });
  const recent = (await readEntries(db, RECENT_ENTRIES)).filter(
    ({ entryType, direction }) => entryType === "broadcast" && direction === "inbound",
  );
  const text = statusText(
    inputOf(glance, displayName, peers, ports.config.maxConnections, services.wallets.addresses),
    attentionOf(glance, pending, recent.length),
  );
  return peers.length + pending.length > 0 ? `${text}\n\n${PEER_WORDS}` : text;
}

const plainPeer = (label: string) => ({ label, webrtc: false, level: 0, method: "" });

function inputOf(
  glance: Glance,
  name: string,
  peers: StatusInput["peers"],
  maxConnections: number,
  wallets: StatusInput["wallets"],
): StatusInput {
  return {
    name,
    status: glance.status,
    peers,
    maxConnections,
    inbox: glance.unread,
    handled: glance.handled,
    pendingRequests: glance.pendingRequests,
    wallets,
    conversations: glance.conversations,
    broadcasts: glance.inboundBroadcasts,
    ownShards: glance.ownShards,
    peerShards: glance.peerShards,
  };
}

function attentionOf(glance: Glance, requests: readonly string[], broadcasts: number): Attention {
  return {
    inactive: glance.status === "inactive",
    requests,
    inbox: glance.unread,
    awaitingReply: glance.awaitingReply,
    connections: glance.connections,
    genericBio: glance.hasGenericBio,
    noName: !glance.hasName,
    broadcasts,
    peerShards: glance.peerShards,
  };
}
