import type { Database } from "@darkmatter/store";
import { createA2a } from "./a2a/a2a.ts";
import { createAddresses, hostOf } from "./addresses/addresses.ts";
import { createPublicAddress } from "./addresses/public-address.ts";
import { createAnchoring } from "./anchors/anchoring.ts";
import { createAnchors } from "./anchors/anchors.ts";
import { createAntimatter } from "./antimatter/antimatter.ts";
import type { Background } from "./background.ts";
import { createAnnouncements } from "./connections/announcements.ts";
import { createConnections } from "./connections/connections.ts";
import { createHandshake } from "./connections/handshake.ts";
import { createPeerUpdates } from "./connections/peer-updates.ts";
import { createPeerUrls } from "./connections/peer-urls.ts";
import { createRequests } from "./connections/requests.ts";
import { contextFeed } from "./conversation/feed.ts";
import { createDelegations } from "./delegation/delegations.ts";
import { createDiscovery } from "./discovery/discovery.ts";
import { askOver, createAsking } from "./healing/asking.ts";
import { createHealing, seekingTransports } from "./healing/healing.ts";
import { createRecovery } from "./healing/recovery.ts";
import { createIdentity, GENERIC_BIOS } from "./identity/identity.ts";
import { createImpressions } from "./impressions/impressions.ts";
import { createOpinions } from "./impressions/opinions.ts";
import { createLimits } from "./limits/limits.ts";
import { createArrivals } from "./messages/arrival.ts";
import { createAttempts } from "./messages/attempts.ts";
import { createDeliverer } from "./messages/deliver.ts";
import { sayFarewell } from "./messages/farewell.ts";
import { createForwarding, createPassedOn } from "./messages/forward.ts";
import { inbox } from "./messages/inbox.ts";
import { createLanes } from "./messages/lanes.ts";
import { wakesWaiting } from "./messages/older.tools.ts";
import { createOutbox } from "./messages/outbox.ts";
import { createReceiving } from "./messages/receive.ts";
import { createReplying } from "./messages/reply.ts";
import { createSending } from "./messages/send.ts";
import type { OnStored } from "./messages/stored.ts";
import { createWaiting } from "./messages/waiting.ts";
import { createPayments } from "./payments/payments.ts";
import { createPeers } from "./peers.ts";
import { createPoolServices } from "./pools/pool-services.ts";
import type { MeshPorts } from "./ports.ts";
import { createPresence } from "./presence/presence.ts";
import { createGiving } from "./receipts/giving.ts";
import { createTaking } from "./receipts/taking.ts";
import { createRouter } from "./router/router.ts";
import { createRules } from "./router/rules.ts";
import type { Services } from "./services.ts";
import { createShards } from "./shards/shards.ts";
import { createSharing } from "./shards/sharing.ts";
import type { Changes } from "./status/changes.ts";
import { EMPTY_GLANCE, type Glance, type GlanceKeeper, takeGlance } from "./status/glance.ts";
import { channelWay, plainFrameWay } from "./transports/channel-ways.ts";
import { createChannels } from "./transports/channels.ts";
import { createConnectivity } from "./transports/connectivity.ts";
import { httpTransport } from "./transports/http.ts";
import { createLinks } from "./transports/links.ts";
import { createTransports } from "./transports/transports.ts";
import { createAlertness } from "./waking/alertness.ts";
import { hookWay } from "./waking/hook.ts";
import { createWaking } from "./waking/waking.ts";
import { pushWay } from "./waking/ways.ts";
import { createSuperagent } from "./wallets/superagent.ts";
import { createWallets } from "./wallets/wallets.ts";
import { createCallbacks } from "./webhooks/callbacks.ts";
import { createWebhooks } from "./webhooks/webhooks.ts";

/** Puts the parts of a mesh together: each is made of what it stands on, and of nothing else. */
export function createServices(
  ports: MeshPorts,
  background: Background,
  changes: Changes,
  isReady: () => boolean,
): Services {
  const { db } = ports;
  const changed = changes.touch;
  const peers = createPeers(ports);
  const connectivity = createConnectivity(ports.clock);
  const anchors = createAnchors(ports, peers);
  const anchoring = createAnchoring(ports, {
    anchors,
    background,
    connections: { get: (tx, agentId) => connections.get(tx, agentId) },
    announce: () => peerUpdates.announce(),
    callbacks: () => callbacks,
  });
  const addresses = createAddresses(ports, createPublicAddress(ports, peers), (host) =>
    discovery.peers().some(({ source, url }) => source === "lan" && hostOf(url) === host),
  );
  const peerUrls = createPeerUrls(addresses.publicHost);
  const channels = createChannels(ports, connectivity);
  const http = httpTransport(peers, peerUrls.of, peerUrls.worked);
  const ways = createTransports(
    [channelWay(channels), http, plainFrameWay(channels), anchoring.way],
    connectivity,
    ports.clock,
  );
  const transports = seekingTransports(ways, (...whom) => healing.lookups.seekSoon(...whom));
  const wallets = createWallets(ports.wallets);
  const superagent = createSuperagent(ports, peers, wallets);
  const identity = createIdentity(ports, addresses, wallets);
  const presence = createPresence(ports);
  const limits = createLimits(ports);
  const connections = createConnections(ports);
  const impressions = createImpressions(ports);
  const discovery = createDiscovery(ports, peers, { identity, presence, connections, background });
  const links = createLinks(ports, {
    background,
    channels,
    connections,
    connectivity,
    discovery,
    http,
    peers,
    transports,
    anchor: anchoring.relay,
  });
  const waiting = createWaiting();
  const deliverer = createDeliverer(ports, transports);
  const peerUpdates = createPeerUpdates(ports, { addresses, connections, identity, peers, transports });
  const asking = createAsking(ports, peers, askOver(ways));
  const healing = createHealing(ports, {
    addresses,
    asking,
    background,
    channels,
    connections,
    connectivity,
    discovery,
    peers,
    peerUpdates,
    peerUrls,
  });
  const discovered = () => discovery.peers().map(({ url }) => url);
  const a2a = createA2a(ports, changes, {
    isActive: () => presence.status() === "active",
    onStored: () => onStored,
  });
  const callbacks = createCallbacks(ports, {
    identity,
    connections,
    peers,
    channels,
    recovery: createRecovery(ports, asking),
    discovered,
    local: a2a.answers,
  });
  const giving = createGiving(ports, callbacks, background);
  const arrivals = createArrivals(ports.clock, impressions);
  const taking = createTaking(ports, arrivals, waiting, changed);
  const tookPassedOn = createPassedOn(ports, giving);
  const attempts = createAttempts(ports, {
    addresses,
    arrivals,
    connections,
    deliverer,
    taking,
    tookPassedOn,
    changed,
  });
  const lanes = createLanes(ports, background, attempts);
  const outbox = createOutbox(ports, attempts, lanes, waiting, changed);
  const sending = createSending(ports, addresses, connections, impressions, outbox, changed);
  const replying = createReplying(ports, connections, impressions, callbacks, giving, changed);
  const handshake = createHandshake(ports, identity, connections, peers, anchors);
  const announcements = createAnnouncements(ports, connections, handshake);
  const sharing = createSharing(ports, { background, connections, impressions, transports });
  // Before what waits is tried again: the channels are dead by now.
  healing.onRejoin(() => links.upgrades.moved());
  healing.onAddress(() => links.upgrades.news());
  healing.onRejoin(lanes.rejoined);
  const { heard } = connectivity;
  connectivity.onHeard((agentId) => {
    lanes.heard(agentId);
    if (sharing.missed(agentId)) background.start("shards.heard", () => sharing.tell(agentId), agentId);
    if (announcements.heard(agentId)) background.start("announcements.heard", () => announcements.tell());
    if (replying.missed(agentId)) background.start("answers.heard", () => replying.heard(agentId), agentId);
    if (giving.missed(agentId)) background.start("receipts.heard", () => giving.heard(agentId), agentId);
  });
  const forwarding = createForwarding(ports, connections, callbacks, outbox, giving, changed);
  const delegations = createDelegations(ports, {
    background,
    context: (respondingTo, peer) =>
      contextFeed(db, { self: ports.signer.agentId, nowMs: ports.clock.now(), respondingTo, peer }),
    nameOf: async (agentId) => (await connections.get(db, agentId))?.displayName ?? null,
    changed,
  });
  const alertness = createAlertness(ports.clock);
  const waking = createWaking(ports, {
    alertness,
    background,
    delegations,
    giving,
    impressions,
    presence,
    channel: pushWay(alertness, ports),
    hook: hookWay(ports),
  });
  const rules = createRules(ports);
  const acting = { rules, background, connections, forwarding, replying, giving, waking, changed };
  const router = createRouter(ports, acting);
  const paid = { wallets, superagent, identity, sending, background, changed };
  const payments = createPayments(ports, paid);
  const antimatter = createAntimatter(ports, {
    addresses,
    background,
    callbacks,
    connections,
    connectivity,
    identity,
    impressions,
    transports,
    money: {
      pay: payments.pay,
      ownWallet: () => wallets.addresses.solana,
      superagentWallet: async () => (await superagent.wallet()) || undefined,
    },
    send: sending.send,
  });
  payments.onConfirmed(antimatter.begin);
  const onStored: readonly OnStored[] = [
    wakesWaiting(waiting),
    payments.onStored,
    antimatter.onStored,
    router.onStored,
  ];
  const glance = createGlance(
    db,
    () => presence.status(),
    () => identity.profile(db),
  );

  const shards = createShards(ports, sharing, changed);

  return {
    ports,
    db,
    background,
    peers,
    connectivity,
    transports,
    anchoring,
    channels,
    ...links,
    addresses,
    healing,
    identity,
    presence,
    limits,
    connections,
    requests: createRequests(ports, identity, connections),
    handshake,
    announcements,
    peerUpdates,
    impressions,
    opinions: createOpinions(ports, connections, impressions, peers),
    receiving: createReceiving(
      ports,
      connections,
      limits,
      callbacks,
      giving,
      background,
      heard,
      changed,
      onStored,
    ),
    sending,
    wallets,
    superagent,
    payments,
    replying,
    forwarding,
    outbox,
    giving,
    inbox,
    waiting,
    webhooks: createWebhooks(ports, taking, arrivals, heard, waiting, changed),
    delegations,
    discovery,
    antimatter,
    shards,
    ...createPoolServices(ports, { background, connections, transports, shards, credit: payments }),
    sharing,
    a2a,
    rules,
    router,
    alertness,
    waking,
    glance,
    changed,
    tellPeers() {
      background.start("peers.told", () => peerUpdates.broadcast());
      background.start("peers.told-near", () => discovery.announce());
    },
    farewell: (peer) =>
      background.start("peer.farewell", () => sayFarewell(ports, addresses, deliverer, peer)),
    isReady,
  };
}

function createGlance(
  db: Database,
  status: () => Glance["status"],
  profile: () => ReturnType<Services["identity"]["profile"]>,
): GlanceKeeper {
  let latest = EMPTY_GLANCE;
  return {
    now: () => latest,
    async refresh() {
      const sources = { status: status(), profile: await profile(), genericBios: GENERIC_BIOS };
      latest = await takeGlance(db, sources);
      return latest;
    },
  };
}
