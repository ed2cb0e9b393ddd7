import { type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { Database, Write } from "@darkmatter/store";
import type { FindDelegate, Guard, Job, Route, Tool, ToolTable } from "@darkmatter/surface";
import { a2aJobs } from "./a2a/a2a.jobs.ts";
import { a2aRoutes } from "./a2a/a2a.routes.ts";
import { a2aTools } from "./a2a/a2a.tools.ts";
import { createA2a } from "./a2a/a2a.ts";
import { createAddresses, hostOf } from "./addresses/addresses.ts";
import { createPublicAddress } from "./addresses/public-address.ts";
import { createAnchoring } from "./anchors/anchoring.ts";
import { anchorJobs } from "./anchors/anchors.jobs.ts";
import { createAnchors } from "./anchors/anchors.ts";
import { antimatterJobs } from "./antimatter/antimatter.jobs.ts";
import { antimatterRoutes } from "./antimatter/antimatter.routes.ts";
import { antimatterTools } from "./antimatter/antimatter.tools.ts";
import { createAntimatter } from "./antimatter/antimatter.ts";
import { type Background, createBackground } from "./background.ts";
import { createAnnouncements } from "./connections/announcements.ts";
import { connectionJobs } from "./connections/connections.jobs.ts";
import { connectionRoutes } from "./connections/connections.routes.ts";
import { connectionTools } from "./connections/connections.tools.ts";
import { createConnections } from "./connections/connections.ts";
import { createHandshake } from "./connections/handshake.ts";
import { type PeerAddress, readPeerAddresses, readWitnesses } from "./connections/peer-addresses.ts";
import { createPeerUpdates } from "./connections/peer-updates.ts";
import { createPeerUrls } from "./connections/peer-urls.ts";
import { createRequests } from "./connections/requests.ts";
import { contextFeed } from "./conversation/feed.ts";
import { delegateOf } from "./delegation/delegate-table.ts";
import { delegationJobs } from "./delegation/delegation.jobs.ts";
import { delegationTools } from "./delegation/delegation.tools.ts";
import { createDelegations } from "./delegation/delegations.ts";
import { diagnosisTools } from "./diagnosis/diagnosis.tools.ts";
import { discoveryJobs } from "./discovery/discovery.jobs.ts";
import { discoveryTools } from "./discovery/discovery.tools.ts";
import { createDiscovery } from "./discovery/discovery.ts";
import { globalRate } from "./guards.ts";
import { askOver, createAsking } from "./healing/asking.ts";
import { healingJobs } from "./healing/healing.jobs.ts";
import { createHealing, seekingTransports } from "./healing/healing.ts";
import { createRecovery } from "./healing/recovery.ts";
import { identityRoutes } from "./identity/identity.routes.ts";
import { identityTools } from "./identity/identity.tools.ts";
import { createIdentity, GENERIC_BIOS } from "./identity/identity.ts";
import { impressionRoutes } from "./impressions/impressions.routes.ts";
import { impressionTools } from "./impressions/impressions.tools.ts";
import { createImpressions } from "./impressions/impressions.ts";
import { createOpinions } from "./impressions/opinions.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { createLimits } from "./limits/limits.ts";
import { createArrivals } from "./messages/arrival.ts";
import { createAttempts } from "./messages/attempts.ts";
import { createDeliverer } from "./messages/deliver.ts";
import { erase } from "./messages/erase.ts";
import { sayFarewell } from "./messages/farewell.ts";
import { createForwarding, createPassedOn } from "./messages/forward.ts";
import { inbox } from "./messages/inbox.ts";
import { createLanes } from "./messages/lanes.ts";
import { messageJobs } from "./messages/messages.jobs.ts";
import { messageRoutes } from "./messages/messages.routes.ts";
import { messageTools } from "./messages/messages.tools.ts";
import { olderTools, wakesWaiting } from "./messages/older.tools.ts";
import { createOutbox } from "./messages/outbox.ts";
import { createReceiving } from "./messages/receive.ts";
import { createReplying } from "./messages/reply.ts";
import { createSending } from "./messages/send.ts";
import type { OnStored } from "./messages/stored.ts";
import { createWaiting } from "./messages/waiting.ts";
import { paymentJobs } from "./payments/payments.jobs.ts";
import { createPayments } from "./payments/payments.ts";
import { createPeers } from "./peers.ts";
import { createPoolServices } from "./pools/pool-services.ts";
import { poolRoutes } from "./pools/pools.routes.ts";
import { poolTools } from "./pools/pools.tools.ts";
import type { MeshPorts } from "./ports.ts";
import { createPresence } from "./presence/presence.ts";
import { createGiving } from "./receipts/giving.ts";
import { receiptJobs } from "./receipts/receipts.jobs.ts";
import { createTaking } from "./receipts/taking.ts";
import { routerJobs } from "./router/router.jobs.ts";
import { routerTools } from "./router/router.tools.ts";
import { createRouter } from "./router/router.ts";
import { createRules } from "./router/rules.ts";
import type { Services } from "./services.ts";
import { shardJobs } from "./shards/shards.jobs.ts";
import { shardRoutes } from "./shards/shards.routes.ts";
import { shardTools } from "./shards/shards.tools.ts";
import { createShards } from "./shards/shards.ts";
import { createSharing } from "./shards/sharing.ts";
import { createStateFiles, type StateFiles } from "./state-file/state-files.ts";
import { type Changes, createChanges } from "./status/changes.ts";
import { EMPTY_GLANCE, type Glance, type GlanceKeeper, takeGlance } from "./status/glance.ts";
import { createHints } from "./status/hint.ts";
import { statusJobs } from "./status/status.jobs.ts";
import { statusForResult } from "./status/status.ts";
import { channelWay, plainFrameWay } from "./transports/channel-ways.ts";
import { createChannels } from "./transports/channels.ts";
import { createConnectivity } from "./transports/connectivity.ts";
import { httpTransport } from "./transports/http.ts";
import { createLinks } from "./transports/links.ts";
import { signallingRoutes } from "./transports/signalling.routes.ts";
import type { Outcome, PeerRequest } from "./transports/transport.ts";
import { transportJobs } from "./transports/transports.jobs.ts";
import { createTransports } from "./transports/transports.ts";
import { createAlertness } from "./waking/alertness.ts";
import { hookWay } from "./waking/hook.ts";
import { wakingJobs } from "./waking/waking.jobs.ts";
import { createWaking } from "./waking/waking.ts";
import { pushWay } from "./waking/ways.ts";
import { createSuperagent } from "./wallets/superagent.ts";
import { walletTools } from "./wallets/wallets.tools.ts";
import { createWallets } from "./wallets/wallets.ts";
import { createCallbacks } from "./webhooks/callbacks.ts";
import { webhookRoutes } from "./webhooks/webhooks.routes.ts";
import { createWebhooks } from "./webhooks/webhooks.ts";

/** A node's mesh: its ways in, as data, and its life. */
export interface Mesh {
  readonly routes: readonly Route[];
  readonly tools: ToolTable;
  /** The helper of the agent that a token stands for. */
  readonly delegates: FindDelegate;
  /** Whether a process of this machine is a running helper, or was started by one. */
  readonly isHelper: (pid: number) => Promise<boolean>;
  readonly jobs: readonly Job[];
  readonly stateFiles: StateFiles;
  /** Readies a migrated database: name, birthday, settings. Routes answer 503 before. */
  start(): Promise<void>;
  /** Takes no more work, and waits at most a few seconds for what is under way. */
  stop(): Promise<void>;
  /** Resolves when no background work is left. */
  idle(): Promise<void>;
  /** The name this agent gives itself; empty before the first start. */
  name(): Promise<string>;
  /** Counts a request against the limit over all, for routes that other layers add. */
  readonly globalRate: Guard;
  /** Connected agents that keep a ledger too, best impression first. */
  witnesses(): Promise<readonly PeerAddress[]>;
  /** Brings a request to a connected agent by whatever way works; `undefined` for one that is not connected. */
  call(agentId: string, request: PeerRequest): Promise<Outcome | undefined>;
  /** All connected agents, in the order they were connected. */
  peersAll(): Promise<readonly PeerAddress[]>;
  /**
   * Removes what was said in a message and in its answers from everything the mesh keeps; that there was something
   * stays. How many rows it changed.
   */
  erase(tx: Write, messageId: string): Promise<number>;
}

/** How long a stop waits for callbacks under way. */
const STOP_WITHIN_MS = 3 * SECOND_MS;

export function createMesh(ports: MeshPorts): Mesh {
  let isReady = false;
  const background = createBackground(ports.report);
  const changes = createChanges(ports.report);
  const services = createServices(ports, background, changes, () => isReady);
  const stateFiles = createStateFiles(ports, services.identity);
  const tools = toolTable(services, changes);

  return {
    routes: [
      ...identityRoutes(services),
      ...connectionRoutes(services),
      ...messageRoutes(services),
      ...webhookRoutes(services),
      ...impressionRoutes(services),
      ...poolRoutes(services),
      ...antimatterRoutes(services),
      ...a2aRoutes(services),
      ...shardRoutes(services),
      ...signallingRoutes(services),
    ],
    tools,
    isHelper: (pid) => services.delegations.isHelper(pid),
    delegates(token) {
      const helper = services.delegations.delegateOf(token);
      return helper && delegateOf(services, tools, helper);
    },
    jobs: [
      ...connectionJobs(services),
      ...messageJobs(services),
      ...receiptJobs(services),
      ...discoveryJobs(services),
      ...transportJobs(services),
      ...anchorJobs(services),
      ...healingJobs(services),
      ...antimatterJobs(services),
      ...a2aJobs(services),
      ...shardJobs(services),
      ...routerJobs(services),
      ...wakingJobs(services),
      ...delegationJobs(services),
      ...paymentJobs(services),
      ...statusJobs(services, changes),
    ],
    stateFiles,

    async start() {
      const { db, identity, presence, limits, outbox, sharing, glance } = services;
      await db.write(async (tx: Write) => {
        await identity.initialise(tx);
        await presence.restart(tx);
      });
      await presence.load(db);
      await limits.load(db);
      await outbox.load();
      await services.delegations.start();
      await services.waking.load();
      await services.rules.load(db);
      await sharing.load();
      await glance.refresh();
      isReady = true;
    },

    async stop() {
      isReady = false;
      await services.discovery.stop();
      services.signalling.stop();
      services.a2a.stop();
      services.channels.closeAll();
      await services.waking.close();
      await services.delegations.stop();
      await services.addresses.close();
      const idle = background.idle();
      const tooLong = ports.clock.sleep(STOP_WITHIN_MS, ports.clock.deadline(STOP_WITHIN_MS + SECOND_MS));
      await Promise.race([idle, tooLong.catch(() => undefined)]);
    },

    idle: () => background.idle(),
    name: async () => (await services.identity.profile(ports.db)).displayName,
    globalRate: globalRate(services),
    witnesses: () => readWitnesses(ports.db),
    async call(agentId, request) {
      const peer = await services.connections.get(ports.db, agentId);
      return peer && services.transports.call(peer, request);
    },
    peersAll: () => readPeerAddresses(ports.db),
    erase: (tx, messageId) => erase(tx, messageId, ports.clock.now()),
  };
}

function createServices(
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

function toolTable(services: Services, changes: Changes): ToolTable {
  const hints = createHints();
  const tools: readonly Tool[] = [
    ...identityTools(services),
    ...messageTools(services),
    ...olderTools(services),
    ...connectionTools(services),
    ...discoveryTools(services),
    ...diagnosisTools(services),
    ...impressionTools(services),
    ...walletTools(services),
    ...poolTools(services),
    ...antimatterTools(services),
    ...routerTools(services),
    ...delegationTools(services),
    ...a2aTools(services),
    ...shardTools(services),
  ];
  const glanceOf = () => services.glance.refresh();

  return {
    tools,
    instructions: INSTRUCTIONS,

    async decorate(session: string, result: JsonObject) {
      const { broadcastsEver: broadcasts, handled, ...glance } = await glanceOf();
      const arrived = handled - broadcasts;
      services.alertness.hinted(session, arrived);
      return { ...result, _hint: hints.next(session, { ...glance, arrived, broadcasts }) };
    },

    onChange: (listener) => changes.listen(listener),
    watch: services.alertness.watch,

    resources: [
      {
        uri: "darkmatter://status",
        name: "Live status",
        description: "Connections, inbox and what waits for the agent.",
        mimeType: "text/plain",
        read: () => statusForResult(services),
      },
    ],
  };
}
