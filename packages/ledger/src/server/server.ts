import { type DarkMatterError, reasonOf } from "@darkmatter/core";
import type { Handler } from "@darkmatter/net";
import { type AdmitLarge, createHandler, type Job, largestBody, type Route } from "@darkmatter/surface";
import { accountJobs } from "./accounts/accounts.jobs.ts";
import { accountRoutes } from "./accounts/accounts.routes.ts";
import { createAccounts } from "./accounts/accounts.ts";
import { provisionRoutes } from "./accounts/provision.routes.ts";
import { createSessions } from "./accounts/sessions.ts";
import { createActivity } from "./agents/activity.ts";
import { agentRoutes } from "./agents/agents.routes.ts";
import { createAgents } from "./agents/agents.ts";
import { dashboardAgentRoutes } from "./agents/dashboard-agents.routes.ts";
import { retentionJobs } from "./agents/retention.ts";
import { forBrowsers } from "./browsers.ts";
import { isCallerGone } from "./caller-gone.ts";
import { createWays } from "./callers.ts";
import { chainRoutes } from "./chains/chains.routes.ts";
import { commitReadRoutes } from "./chains/commits-read.routes.ts";
import { createAppender } from "./commits/append.ts";
import { commitJobs, commitRoutes } from "./commits/commits.routes.ts";
import { createCommits } from "./commits/commits.ts";
import { keepCommits } from "./commits/keep-commits.ts";
import { createDemo } from "./demo/demo.ts";
import { exportRoutes } from "./exports/exports.routes.ts";
import { forkRoute } from "./forks/forks.routes.ts";
import { agentKeyRoutes } from "./keys/agent-keys.routes.ts";
import { signingKeyRoutes } from "./keys/signing-keys.routes.ts";
import { largeBodies } from "./large-bodies.ts";
import { logRoutes } from "./log/log.routes.ts";
import { createServerLog, type ServerLog } from "./log/server-log.ts";
import { logWitnessRoutes } from "./log/witnesses.routes.ts";
import { openApiRoutes } from "./openapi/openapi.routes.ts";
import type { LedgerServerPorts } from "./ports.ts";
import { refusalOf } from "./refusal.ts";
import { searchRoutes } from "./search/search.routes.ts";
import { createSearching } from "./search/searching.ts";
import { proofPageRoutes } from "./shares/proof-pages.routes.ts";
import { publicShareRoutes } from "./shares/public-shares.routes.ts";
import { shareRoutes } from "./shares/shares.routes.ts";
import { createShares } from "./shares/shares.ts";
import { createViews } from "./shares/views.ts";
import { statsRoutes } from "./stats/stats.routes.ts";
import { windowJobs } from "./windows.ts";

/** A ledger server: its ways in, as data, and its life. */
export interface LedgerServer {
  readonly routes: readonly Route[];
  readonly handler: Handler;
  /** The largest body it takes, in bytes. */
  readonly maxBodyBytes: number;
  /** To be asked before a large body is read. */
  readonly admitLarge: AdmitLarge;
  readonly jobs: readonly Job[];
  /** Tries the log's key, takes the log for it and looks at its end. @throws what keeps it from serving */
  start(): Promise<void>;
  /** Why it has to end, though it served: it may no longer sign its log. */
  readonly ended: Promise<DarkMatterError>;
  /** Signs the log as it is. */
  stop(): Promise<void>;
}

export function createLedgerServer(ports: LedgerServerPorts): LedgerServer {
  const { db, random, report } = ports;
  const sessions = createSessions(ports);
  const accounts = createAccounts(ports, sessions);
  const agents = createAgents(ports);
  const activity = createActivity(ports);
  const ways = createWays(ports, { findSession: sessions.find, onKeyUsed: activity.saw });
  const appender = createAppender(ports);
  const commits = createCommits(ports, appender);
  const log = createServerLog(ports);
  const shares = createShares(ports);
  const views = createViews(db);
  const searching = createSearching(ports);
  const demo = createDemo(ports, ways);

  const described: readonly Route[] = [
    ...accountRoutes(ports, ways, { accounts, sessions }),
    ...provisionRoutes(ports, ways, agents),
    ...agentRoutes(ports, ways, agents),
    ...dashboardAgentRoutes(ports, ways, agents),
    ...commitRoutes(ports, ways, commits),
    forkRoute(ports, ways, commits),
    ...commitReadRoutes(ports, ways),
    ...chainRoutes(ports, ways),
    ...exportRoutes(ports, ways, log.checkpointNow),
    ...demo.routes,
    ...signingKeyRoutes(ports, ways),
    ...agentKeyRoutes(ports, ways),
    ...logRoutes(ports, ways, log),
    ...logWitnessRoutes(ports, ways, log),
    ...searchRoutes(ports, ways, searching),
    ...shareRoutes(ports, ways, shares),
    ...publicShareRoutes(ports, ways, views),
    ...proofPageRoutes(ports, ways, views),
    ...statsRoutes(ports, ways),
  ];
  const routes: readonly Route[] = [...described, ...openApiRoutes(ports, ways, described)];
  const jobs: readonly Job[] = [
    ...accountJobs(ports),
    ...activity.jobs,
    ...views.jobs,
    ...retentionJobs(ports),
    ...windowJobs(ports),
    ...commitJobs(ports),
    ...log.jobs,
    ...searching.jobs,
    ...demo.jobs.map((job) => signedAfter(job, log)),
  ];

  const handler = createHandler(routes, {
    onError({ method, route, error, signal }) {
      if (!isCallerGone(error, { signal }))
        report("route.failed", { method, route, reason: reasonOf(error) });
    },
    refuse: (refused) => refusalOf(refused, random),
    isBodyOptional: true,
  });
  return {
    routes,
    handler: forBrowsers(keepCommits(handler), ports.config),
    maxBodyBytes: largestBody(routes),
    admitLarge: largeBodies(ports),
    jobs,
    start: () => log.start(),
    ended: log.ended,
    async stop() {
      searching.stop();
      await activity.flush();
      await views.flush();
      await log.stop();
    },
  };
}

/** A job whose commits are signed at once: a new log would have no checkpoint before the next time it is signed. */
const signedAfter = (job: Job, log: ServerLog): Job => ({
  ...job,
  async run() {
    await job.run();
    await log.checkpointNow();
  },
});
