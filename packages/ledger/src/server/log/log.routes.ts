import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { checkpointById, firstCovering, newestCheckpoints } from "../../checkpoints/checkpoints.store.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { queryOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { checkEntries, ENTRIES_CHECKED_MAX } from "./end-check.ts";
import { entryById } from "./log.store.ts";
import { consistencyView, entryView, proofView } from "./log-views.ts";
import type { ServerLog } from "./server-log.ts";
import { shownKeys } from "./shown.ts";

const CHECKPOINTS_MAX = 100;
const CHECKPOINTS_DEFAULT = 20;

const Count = z
  .string()
  .regex(/^\d{1,15}$/, "is a whole number")
  .transform(Number);
const CheckpointsQuery = z.object({ limit: Count.optional() });
const ProofQuery = z.object({ tree_size: Count.optional() });
const RangeQuery = z.object({ from: Count.optional(), to: Count.optional() });
const Named = StorableText.max(64).describe("a checkpoint's id, `first` or `latest`");
const ConsistencyQuery = z.object({ from: Named.default("first"), to: Named.default("latest") });

const notThere = () => serverError("not_found", "The log has no such entry or checkpoint.");

/** What anybody may ask of the log: it says nothing of payloads, agents or accounts. */
export function logRoutes(ports: LedgerServerPorts, ways: Ways, server: ServerLog): Route[] {
  return [...checkpointRoutes(ports, ways, server), ...entryRoutes(ports, ways, server)];
}

function checkpointRoutes(
  { db, config, verifier }: LedgerServerPorts,
  ways: Ways,
  server: ServerLog,
): Route[] {
  const { log, keys, checkpoints } = server;
  const pubkey_url = `${config.baseUrl}/api/log/pubkey`;
  const shown = (checkpoint: SignedCheckpoint | undefined) => (checkpoint ? { ...checkpoint } : null);

  async function named(read: Read, name: string): Promise<SignedCheckpoint> {
    const found =
      name === "latest"
        ? await checkpoints.latest(read)
        : name === "first"
          ? await firstCovering(read, 0)
          : await checkpointById(read, name);
    if (!found) throw notThere();
    return found;
  }

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
      handle: async () =>
        answer(200, { checkpoint: shown(await checkpoints.latest(db)), pubkey_url, spec_version: "3" }),
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
        return answer(200, { checkpoints: newest.map((one) => ({ ...one })), pubkey_url });
      },
    }),
    ways.byAdmin({
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
        return answer(200, { checkpoint: shown(checkpoint), pubkey_url, spec_version: "3", witnesses });
      },
    }),
    ways.byAnyone({
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
        const [first, second] = [await named(db, from), await named(db, to)];
        if (first.tree_size > second.tree_size)
          throw serverError("invalid_request", "`from` covers more of the log than `to`.");
        return answer(200, await consistencyView({ read: db, log, keys, verifier }, first, second));
      },
    }),
  ];
}

function entryRoutes({ db }: LedgerServerPorts, ways: Ways, { log }: ServerLog): Route[] {
  return [
    ways.byAnyone({
      method: "GET",
      path: "/api/log/proof/:id",
      summary: "The proof that a commit is in the log",
      contract: {
        tag: "log",
        query: ProofQuery,
        answers: {
          200: { says: "leaf, root and the way between them" },
          400: { says: "the log never had that size, or not yet this commit" },
          404: { says: "the log has no such commit" },
        },
        examples: [
          { name: "in the tree as it is", params: { id: "{ctx}" }, status: 200 },
          { name: "of no commit", params: { id: "ctx_1_000000000000" }, status: 404 },
        ],
      },
      async handle({ params, search }) {
        const { tree_size } = queryOf(ProofQuery, search);
        const entry = await entryById(db, params.id ?? "");
        if (!entry) throw notThere();
        const size = (await log.head(db))?.size ?? 0;
        const wanted = tree_size ?? size;
        if (wanted > size || wanted <= entry.position)
          throw serverError(
            "invalid_request",
            `\`tree_size\` is from ${entry.position + 1} to ${size} here.`,
          );
        return answer(200, await proofView(db, log, entry, wanted));
      },
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/log/entry/:id",
      summary: "What the log holds of a commit",
      contract: {
        tag: "log",
        answers: {
          200: { says: "position, hashes and the time it was accepted" },
          404: { says: "the log has no such commit" },
        },
        examples: [{ name: "an entry", params: { id: "{ctx}" }, status: 200 }],
      },
      async handle({ params }) {
        const entry = await entryById(db, params.id ?? "");
        if (!entry) throw notThere();
        return answer(200, entryView(entry));
      },
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/log/verify",
      isLong: true,
      summary: "Computes leaves, tree and log roots anew over a stretch of the log",
      contract: {
        tag: "log",
        query: RangeQuery,
        answers: {
          200: { says: `at most ${ENTRIES_CHECKED_MAX} entries; \`next_from\` where there are more` },
          400: { says: "no such stretch" },
        },
        examples: [{ name: "from the beginning", query: { from: "0" }, status: 200 }],
      },
      async handle({ search }) {
        const query = queryOf(RangeQuery, search);
        const size = (await log.head(db))?.size ?? 0;
        const from = query.from ?? 0;
        const last = Math.min(query.to ?? size - 1, size - 1);
        if (from > 0 && from > last) throw serverError("invalid_request", `The log has ${size} entries.`);
        const end = Math.min(last + 1, from + ENTRIES_CHECKED_MAX);
        const { first } = await checkEntries(db, from, end);
        return answer(200, {
          consistent: first === null,
          broken_at: first?.position ?? null,
          reason: first?.kind ?? null,
          entries_checked: end - from,
          from,
          to: end - 1,
          next_from: end <= last ? end : null,
        });
      },
    }),
  ];
}
