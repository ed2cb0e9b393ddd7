import { reasonOf, toHex } from "@darkmatter/core";
import type { Handler } from "@darkmatter/net";
import { createHandler, type Job, largestBody, type Refused, type Route } from "@darkmatter/surface";
import { createWays, type FindSession } from "./callers.ts";
import { createAppender } from "./commits/append.ts";
import { commitRoutes } from "./commits/commits.routes.ts";
import { answer } from "./json-text.ts";
import type { LedgerServerPorts } from "./ports.ts";
import { statsRoutes } from "./stats/stats.routes.ts";

/** A ledger server: its ways in, as data, and its life. */
export interface LedgerServer {
  readonly routes: readonly Route[];
  readonly handler: Handler;
  /** The largest body it takes, in bytes. */
  readonly maxBodyBytes: number;
  readonly jobs: readonly Job[];
  /** Tries the log's key and looks at the end of the log. @throws what keeps it from serving */
  start(): Promise<void>;
  /** Signs the log as it is. */
  stop(): Promise<void>;
}

export function createLedgerServer(ports: LedgerServerPorts): LedgerServer {
  const { db, random, report } = ports;
  const findSession: FindSession = async () => undefined;
  const ways = createWays(ports, findSession);
  const appender = createAppender(db);

  const routes: readonly Route[] = [...commitRoutes(ports, ways, appender), ...statsRoutes(ports, ways)];
  const jobs: readonly Job[] = [];

  const handler = createHandler(routes, {
    onError: ({ method, route, error }) => report("route.failed", { method, route, reason: reasonOf(error) }),
    refuse: (refused) => refusalOf(refused, () => toHex(random.bytes(8))),
  });
  return {
    routes,
    handler,
    maxBodyBytes: largestBody(routes),
    jobs,
    async start() {},
    async stop() {},
  };
}

/** A refusal as every client of the ledger reads it: `error` a sentence, `code` for programs. */
function refusalOf({ status, code, message, hint, allow }: Refused, newRequestId: () => string) {
  const isOurs = status >= 500;
  return answer(
    status,
    { error: message, code, hint, request_id: isOurs ? newRequestId() : undefined },
    allow === undefined ? {} : { allow },
  );
}
