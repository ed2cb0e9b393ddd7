import { DAY_MS, exceedsCodePoints } from "@darkmatter/core";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { parentCommit } from "../commits/commits.store.ts";
import { serverError } from "../errors.ts";
import { inputOf, queryOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { summaryOf } from "./share-summary.ts";
import { type Shown, showChain, showShare } from "./shared-chain.ts";
import { newestOfTrace, revokeShare, type Share, shareOfCommit, sharesOf } from "./shares.store.ts";
import type { Shares, ShareWishes } from "./shares.ts";

const LABEL_CODE_POINTS_MAX = 200;
const DAYS_MAX = 3650;
const LIST_MAX = 1000;

const Wishes = z.object({
  label: StorableText.refine(
    (text) => !exceedsCodePoints(text, LABEL_CODE_POINTS_MAX),
    "is longer than 200 characters",
  ).nullish(),
  expiresInDays: z.number().positive().max(DAYS_MAX).nullish(),
});
const ListQuery = z.object({ limit: z.coerce.number().int().min(1).max(LIST_MAX).default(200) });

const ShareView = z.object({
  shareId: z.string(),
  shareUrl: z.string(),
  ctxId: z.string().nullable(),
  traceId: z.string().optional(),
  label: z.string().nullable(),
  expiresAt: z.string().nullable(),
  markdown: z.string(),
});

/** A share's address. */
const urlOf = ({ baseUrl }: LedgerServerPorts["config"], { id }: Pick<Share, "id">) =>
  `${baseUrl}/chain/${id}`;

const timeOrNull = (ms: number | null) => (ms === null ? null : millisecondsTime(ms));

/** Shares as their account makes, lists and ends them. */
export function shareRoutes(ports: LedgerServerPorts, ways: Ways, shares: Shares): Route[] {
  return [...publishRoutes(ports, ways, shares), describeRoute(ports, ways), ...keepRoutes(ports, ways)];
}

function publishRoutes(ports: LedgerServerPorts, ways: Ways, shares: Shares): Route[] {
  const { db, clock, config } = ports;

  function wishesOf(json: unknown): ShareWishes {
    const { label, expiresInDays } = inputOf(Wishes, json);
    const expiresMs = typeof expiresInDays === "number" ? clock.now() + expiresInDays * DAY_MS : null;
    return { label: label ?? null, expiresMs: expiresMs === null ? null : Math.floor(expiresMs) };
  }

  const made = (share: Share, shown: Shown) =>
    answer(200, {
      shareId: share.id,
      shareUrl: urlOf(config, share),
      ...namedBy(share),
      label: share.label,
      expiresAt: timeOrNull(share.expiresMs),
      markdown: summaryOf(shown, { label: share.label, url: urlOf(config, share) }),
    });

  // What is to be published is looked at first: what nobody could look at is never stored.
  return [
    ways.byKey({
      method: "POST",
      path: "/api/share/:id",
      isLong: true,
      summary:
        "Publishes a commit with its ancestors, as they are now, under an address that is not to be guessed",
      body: "json",
      contract: {
        tag: "shares",
        request: Wishes,
        answers: {
          200: { says: "the share", schema: ShareView },
          404: { says: "the account has no such commit" },
        },
        examples: [
          {
            name: "for a week",
            params: { id: "{ctx}" },
            body: { label: "Review", expiresInDays: 7 },
            status: 200,
          },
          { name: "an unknown commit", params: { id: "ctx_1_000000000000" }, body: {}, status: 404 },
        ],
      },
      async handle(request, caller) {
        const wishes = wishesOf(request.json);
        const commit = await parentCommit(db, caller.account, request.params.id ?? "");
        if (!commit) throw serverError("not_found");
        const { account } = caller;
        const shown = await showChain(whileWaitedFor(ports, request), account, commit.id);
        if (!shown) throw serverError("not_found");
        const share = await db.write((tx) => shares.makeShare(tx, caller, { ...commit, account }, wishes));
        return made(share, shown);
      },
    }),
    ways.byKey({
      method: "POST",
      path: "/api/share/trace/:traceId",
      isLong: true,
      summary: "Publishes all commits of a trace that there are now",
      body: "json",
      contract: {
        tag: "shares",
        request: Wishes,
        answers: {
          200: { says: "the share", schema: ShareView },
          404: { says: "the account has no such trace" },
          413: { says: "its branches are too long to be looked at together; nothing is shared" },
        },
        examples: [
          { name: "a trace", params: { traceId: "{trace}" }, body: {}, status: 200 },
          { name: "an unknown trace", params: { traceId: "trc_unknown" }, body: {}, status: 404 },
        ],
      },
      async handle(request, caller) {
        const wishes = wishesOf(request.json);
        const trace = request.params.traceId ?? "";
        const { account } = caller;
        const until = await newestOfTrace(db, account, trace);
        if (until === undefined) throw serverError("not_found");
        const shared = { kind: "trace", trace, until } as const;
        const shown = await showShare(whileWaitedFor(ports, request), { account, shared });
        if (!shown) throw serverError("not_found");
        const share = await db.write((tx) => shares.makeTraceShare(tx, caller, shared, wishes));
        return made(share, shown);
      },
    }),
  ];
}

function describeRoute(ports: LedgerServerPorts, ways: Ways): Route {
  const { db, clock, config } = ports;
  return ways.byKey({
    method: "GET",
    path: "/api/share/:id/markdown",
    isLong: true,
    summary: "Describes a commit's chain in Markdown; publishes nothing",
    contract: {
      tag: "shares",
      answers: {
        200: {
          says: "the text; `shareUrl` is null where no active share ends with this commit",
          schema: z.object({
            markdown: z.string(),
            shareUrl: z.string().nullable(),
            steps: z.int(),
            models: z.array(z.string()),
            agents: z.array(z.string()),
            intact: z.boolean(),
          }),
        },
        404: { says: "the account has no such commit" },
      },
      examples: [
        { name: "a chain", params: { id: "{ctx}" }, status: 200 },
        { name: "an unknown commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle(request, { account }) {
      const id = request.params.id ?? "";
      const shown = await showChain(whileWaitedFor(ports, request), account, id);
      if (!shown) throw serverError("not_found");
      const share = await shareOfCommit(db, account, id, clock.now());
      const url = share === undefined ? null : urlOf(config, share);
      return answer(200, {
        markdown: summaryOf(shown, { label: share?.label ?? null, url }),
        shareUrl: url,
        steps: shown.totalSteps,
        models: shown.models,
        agents: shown.agents,
        intact: shown.isIntact,
      });
    },
  });
}

/** Shares as they are listed and ended. */
function keepRoutes({ db, clock, config }: LedgerServerPorts, ways: Ways): Route[] {
  return [
    ways.byEither({
      method: "GET",
      path: "/api/shares",
      summary: "Lists the shares of the account that were not revoked, newest first",
      contract: {
        tag: "shares",
        query: ListQuery,
        answers: { 200: { says: "the shares" } },
        examples: [{ name: "all", status: 200 }],
      },
      async handle({ search }, { account }) {
        const { limit } = queryOf(ListQuery, search);
        const nowMs = clock.now();
        const found = await sharesOf(db, account, limit);
        return answer(200, {
          shares: found.map((share) => ({
            shareId: share.id,
            shareUrl: urlOf(config, share),
            ...namedBy(share),
            label: share.label,
            createdAt: millisecondsTime(share.createdMs),
            expiresAt: timeOrNull(share.expiresMs),
            isExpired: share.expiresMs !== null && share.expiresMs <= nowMs,
            viewCount: share.views,
          })),
          count: found.length,
        });
      },
    }),
    ways.byEither({
      method: "DELETE",
      path: "/api/share/:shareId",
      summary: "Revokes a share: from then on it is as one that never was",
      contract: {
        tag: "shares",
        answers: {
          200: { says: "it is revoked", schema: z.object({ shareId: z.string(), revokedAt: z.string() }) },
          404: { says: "the account has no such share" },
        },
        examples: [
          { name: "one of the account's", params: { shareId: "{share}" }, status: 200 },
          { name: "none of the account's", params: { shareId: "share_0000000000000000" }, status: 404 },
        ],
      },
      async handle({ params }, { account }) {
        const shareId = params.shareId ?? "";
        const nowMs = Math.floor(clock.now());
        const revokedMs = await db.write((tx) => revokeShare(tx, account, shareId, nowMs));
        if (revokedMs === undefined) throw serverError("not_found");
        return answer(200, { shareId, revokedAt: millisecondsTime(revokedMs) });
      },
    }),
  ];
}

/** What a share publishes, by the name its account knows it by. */
const namedBy = ({ shared }: Pick<Share, "shared">) =>
  shared.kind === "chain" ? { ctxId: shared.commitId } : { ctxId: null, traceId: shared.trace };
