import { SECOND_MS } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { FindDelegate, Guard, Job, Route, ToolTable } from "@darkmatter/surface";
import { a2aJobs } from "./a2a/a2a.jobs.ts";
import { a2aRoutes } from "./a2a/a2a.routes.ts";
import { anchorJobs } from "./anchors/anchors.jobs.ts";
import { antimatterJobs } from "./antimatter/antimatter.jobs.ts";
import { antimatterRoutes } from "./antimatter/antimatter.routes.ts";
import { createBackground } from "./background.ts";
import { connectionJobs } from "./connections/connections.jobs.ts";
import { connectionRoutes } from "./connections/connections.routes.ts";
import { type PeerAddress, readPeerAddresses, readWitnesses } from "./connections/peer-addresses.ts";
import { createServices } from "./create-services.ts";
import { delegateOf } from "./delegation/delegate-table.ts";
import { delegationJobs } from "./delegation/delegation.jobs.ts";
import { discoveryJobs } from "./discovery/discovery.jobs.ts";
import { globalRate } from "./guards.ts";
import { healingJobs } from "./healing/healing.jobs.ts";
import { identityRoutes } from "./identity/identity.routes.ts";
import { impressionRoutes } from "./impressions/impressions.routes.ts";
import { erase } from "./messages/erase.ts";
import { messageJobs } from "./messages/messages.jobs.ts";
import { messageRoutes } from "./messages/messages.routes.ts";
import { paymentJobs } from "./payments/payments.jobs.ts";
import { poolRoutes } from "./pools/pools.routes.ts";
import type { MeshPorts } from "./ports.ts";
import { receiptJobs } from "./receipts/receipts.jobs.ts";
import { routerJobs } from "./router/router.jobs.ts";
import { shardJobs } from "./shards/shards.jobs.ts";
import { shardRoutes } from "./shards/shards.routes.ts";
import { createStateFiles, type StateFiles } from "./state-file/state-files.ts";
import { createChanges } from "./status/changes.ts";
import { statusJobs } from "./status/status.jobs.ts";
import { toolTable } from "./tool-table.ts";
import { signallingRoutes } from "./transports/signalling.routes.ts";
import type { Outcome, PeerRequest } from "./transports/transport.ts";
import { transportJobs } from "./transports/transports.jobs.ts";
import { wakingJobs } from "./waking/waking.jobs.ts";
import { webhookRoutes } from "./webhooks/webhooks.routes.ts";

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
