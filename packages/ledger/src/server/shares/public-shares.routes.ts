import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { queryOf } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { cardSvg } from "./card.ts";
import { openShare } from "./shared-chain.ts";
import { replayStep, restOf } from "./shown-views.ts";
import type { Views } from "./views.ts";

/** Which step a page of a long chain begins with. */
export const StepsQuery = z.object({ from: z.coerce.number().int().min(1).default(1) });

/** Shares as everybody who has their address sees them, for programs. */
export function publicShareRoutes(ports: LedgerServerPorts, ways: Ways, views: Views): Route[] {
  return [
    ways.byAnyone({
      method: "GET",
      path: "/api/chain/:shareId",
      isLong: true,
      summary: "Reads what a share publishes",
      contract: {
        tag: "shares",
        query: StepsQuery,
        answers: {
          200: { says: "the chain, recomputed for this answer" },
          404: { says: "there is no such share, or it was revoked" },
          410: { says: "its time is over" },
        },
        examples: [
          { name: "a share", params: { shareId: "{share}" }, status: 200 },
          { name: "an unknown share", params: { shareId: "share_0000000000000000" }, status: 404 },
        ],
      },
      async handle(request) {
        const { from } = queryOf(StepsQuery, request.search);
        const id = request.params.shareId ?? "";
        const { share, shown } = await openShare(whileWaitedFor(ports, request), id, { step: from });
        const { shared } = share;
        return answer(200, {
          shareId: share.id,
          label: share.label,
          ctxId: shared.kind === "chain" ? shared.commitId : null,
          traceId: shared.kind === "trace" ? shared.trace : undefined,
          viewCount: share.views + views.count(share.id),
          createdAt: millisecondsTime(share.createdMs),
          expiresAt: share.expiresMs === null ? null : millisecondsTime(share.expiresMs),
          chainIntact: shown.isIntact,
          brokenAt: shown.brokenAt,
          reason: shown.reason,
          totalSteps: shown.totalSteps,
          models: shown.models,
          agents: shown.agents,
          forkPoints: shown.forks,
          ...restOf(shown),
          replay: shown.steps.map(replayStep),
        });
      },
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/og/:shareId",
      isLong: true,
      summary: "Draws a share's card",
      contract: {
        tag: "shares",
        answers: {
          200: { says: "an SVG of 1200 by 630" },
          404: { says: "there is no such share, or it was revoked" },
          410: { says: "its time is over" },
        },
        examples: [{ name: "a share", params: { shareId: "{share}" }, status: 200 }],
      },
      async handle(request) {
        const id = request.params.shareId ?? "";
        const { share, shown } = await openShare(whileWaitedFor(ports, request), id);
        return {
          status: 200,
          headers: { "content-type": "image/svg+xml; charset=utf-8" },
          body: cardSvg(share.label, shown),
        };
      },
    }),
  ];
}
