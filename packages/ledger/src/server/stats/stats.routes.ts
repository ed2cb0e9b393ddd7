import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import type { Ways } from "../callers.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { createReadiness } from "./readiness.ts";
import { createStats } from "./stats.ts";

const StatsView = z.object({
  agents: z.int().describe("that can still act"),
  commits: z.int(),
  verified: z.int().describe("commits under a checkpoint whose signature was just checked"),
  rejected: z.int().describe("attempts to commit that were refused"),
});
const ReadyView = z.object({ ok: z.boolean(), database: z.boolean(), log_key: z.boolean() });

export function statsRoutes(ports: LedgerServerPorts, ways: Ways): Route[] {
  const stats = createStats(ports);
  const readiness = createReadiness(ports);
  return [
    ways.byAnyone({
      method: "GET",
      path: "/api/stats",
      summary: "Counts what the server holds",
      contract: {
        tag: "operation",
        answers: { 200: { says: "the counts, at most 5 s old", schema: StatsView } },
        examples: [{ name: "counts", status: 200 }],
      },
      handle: async () => answer(200, { ...(await stats()) }),
    }),
    // Not counted: counting needs the database, and whoever watches a server must hear that it is gone.
    {
      method: "GET",
      path: "/healthz",
      summary: "Says that the process answers",
      guards: [],
      body: "none",
      contract: {
        tag: "operation",
        caller: "anyone",
        answers: { 200: { says: "it does", schema: z.object({ ok: z.literal(true) }) } },
        examples: [{ name: "alive", status: 200 }],
      },
      handle: async () => answer(200, { ok: true }),
    },
    {
      method: "GET",
      path: "/readyz",
      summary: "Writes to and reads from the database, and tries the log's key",
      guards: [],
      body: "none",
      contract: {
        tag: "operation",
        caller: "anyone",
        answers: {
          200: { says: "the server can do its work", schema: ReadyView },
          503: { says: "it cannot; which part does not work", schema: ReadyView },
        },
        examples: [{ name: "ready", status: 200 }],
      },
      async handle() {
        const { database, logKey } = await readiness();
        const ok = database && logKey;
        return answer(ok ? 200 : 503, { ok, database, log_key: logKey });
      },
    },
  ];
}
