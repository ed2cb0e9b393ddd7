import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { checkpointById, firstCovering, newestCheckpoints } from "../../checkpoints/checkpoints.store.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { queryOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { entryRoutes } from "./entries.routes.ts";
import { Count, notThere } from "./log-input.ts";
import { consistencyView } from "./log-views.ts";
import type { ServerLog } from "./server-log.ts";
import { shownKeys } from "./shown.ts";

const CHECKPOINTS_MAX = 100;
const CHECKPOINTS_DEFAULT = 20;

const CheckpointsQuery = z.object({ limit: Count.optional() });
const Named = StorableText.max(64).describe("a checkpoint's id, `first` or `latest`");
const ConsistencyQuery = z.object({ from: Named.default("first"), to: Named.default("latest") });

/** What anybody may ask of the log: it says nothing of payloads, agents or accounts. */
export function logRoutes(ports: LedgerServerPorts, ways: Ways, server: ServerLog): Route[] {
  return [
    ...checkpointRoutes(ports, ways, server),
    signingRoute(ports, ways, server),
    consistencyRoute(ports, ways, server),
    ...entryRoutes(ports, ways, server),
  ];
}

const pubkeyUrl = ({ config }: LedgerServerPorts) => `${config.baseUrl}/api/log/pubkey`;

/** One checkpoint, as answers have it. */
const shownIn = (ports: LedgerServerPorts, checkpoint: SignedCheckpoint | undefined) => ({
  checkpoint: checkpoint ? { ...checkpoint } : null,
  pubkey_url: pubkeyUrl(ports),
  spec_version: "3",
});

function checkpointRoutes(ports: LedgerServerPorts, ways: Ways, { keys, checkpoints }: ServerLog): Route[] {
  const { db } = ports;
  return [
    ways.byAnyone({
      method: "GET",
      path: "/api/log/pubkey",
      summary: "The key the log is signed with, and those before it",
      contract: {
        tag: "log",
        answers: { 200: { says: "the keys, as PEM" } },
        examples: [{ name: "the keys", status: 200 }],
      },
      handle: async () => answer(200, shownKeys(keys)),
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/log/checkpoint",
      summary: "The newest checkpoint",
      contract: {
        tag: "log",
        answers: { 200: { says: "the signed checkpoint; null while the log was never signed" } },
        examples: [{ name: "the newest", status: 200 }],
      },
      handle: async () => answer(200, shownIn(ports, await checkpoints.latest(db))),
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/log/checkpoints",
      summary: "Checkpoints, newest first",
      contract: {
        tag: "log",
        query: CheckpointsQuery,
        answers: { 200: { says: "at most 100 of them" }, 400: { says: "the limit is no number" } },
        examples: [{ name: "two", query: { limit: "2" }, status: 200 }],
      },
      async handle({ search }) {
        const { limit = CHECKPOINTS_DEFAULT } = queryOf(CheckpointsQuery, search);
        const newest = await newestCheckpoints(db, Math.min(limit, CHECKPOINTS_MAX));
        return answer(200, { checkpoints: newest.map((one) => ({ ...one })), pubkey_url: pubkeyUrl(ports) });
      },
    }),
  ];
}

function signingRoute(ports: LedgerServerPorts, ways: Ways, server: ServerLog): Route {
  return ways.byAdmin({
    method: "POST",
    path: "/api/log/checkpoint",
    summary: "Signs the log as it is, publishes that and asks the witnesses",
    contract: {
      tag: "log",
      answers: {
        200: { says: "the newest checkpoint, and what came of asking each witness" },
        401: { says: "not an operator" },
      },
      examples: [{ name: "now", status: 200 }],
    },
    async handle() {
      const checkpoint = await server.checkpointNow();
      const asked = await server.witnessNow();
      const witnesses = asked.map(({ witnessId, outcome, reason }) => ({
        witness_id: witnessId,
        outcome,
        reason,
      }));
      return answer(200, { ...shownIn(ports, checkpoint), witnesses });
    },
  });
}

function consistencyRoute(
  { db, verifier }: LedgerServerPorts,
  ways: Ways,
  { log, keys, checkpoints }: ServerLog,
): Route {
  async function named(name: string): Promise<SignedCheckpoint> {
    const found =
      name === "latest"
        ? await checkpoints.latest(db)
        : name === "first"
          ? await firstCovering(db, 0)
          : await checkpointById(db, name);
    if (!found) throw notThere();
    return found;
  }

  return ways.byAnyone({
    method: "GET",
    path: "/api/log/consistency",
    summary: "The proof that the log only grew from one checkpoint to another",
    contract: {
      tag: "log",
      query: ConsistencyQuery,
      answers: {
        200: { says: "an RFC 9162 consistency proof, and what the server itself finds" },
        400: { says: "the first is the larger one" },
        404: { says: "there is no such checkpoint" },
      },
      examples: [{ name: "all of it", query: { from: "first", to: "latest" }, status: 200 }],
    },
    async handle({ search }) {
      const { from, to } = queryOf(ConsistencyQuery, search);
      const [first, second] = [await named(from), await named(to)];
      if (first.tree_size > second.tree_size)
        throw serverError("invalid_request", "`from` covers more of the log than `to`.");
      return answer(200, await consistencyView({ read: db, log, keys, verifier }, first, second));
    },
  });
}
