import { hasCode } from "@darkmatter/core";
import type { Answer, Route, RouteRequest } from "@darkmatter/surface";
import { z } from "zod";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { COMMIT_ID } from "../ids.ts";
import { queryOf } from "../input.ts";
import { answer } from "../json-text.ts";
import { pageAnswer } from "../pages/page.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { NOTHING_HERE, proofPage, TIME_IS_OVER } from "./proof-page.ts";
import { StepsQuery } from "./public-shares.routes.ts";
import { openShare, type Shown, type ShownFrom, showChain, showShare } from "./shared-chain.ts";
import { activeTraceShare, isCovered, placeOfCommit } from "./shares.store.ts";
import { proofStep, restOf, verificationOf } from "./shown-views.ts";
import type { Views } from "./views.ts";

const ProofQuery = StepsQuery.extend({ format: z.enum(["html", "json"]).default("html") });

/** Shares and proofs as people read them. */
export function proofPageRoutes(ports: LedgerServerPorts, ways: Ways, views: Views): Route[] {
  const { config } = ports;

  /** What an active share lets everybody see under this id: a commit with its ancestors, or a trace. */
  async function publicProof(request: RouteRequest, id: string, from: ShownFrom): Promise<Shown | undefined> {
    const nowMs = ports.clock.now();
    const walking = whileWaitedFor(ports, request);
    // A trace that somebody named like a commit has no address here: it would tell which commits there are.
    if (COMMIT_ID.test(id)) {
      const commit = await placeOfCommit(ports.db, id);
      const isShown = commit !== undefined && (await isCovered(ports.db, commit, nowMs));
      return isShown ? showChain(walking, commit.account, id, from) : undefined;
    }
    const share = await activeTraceShare(ports.db, id, nowMs);
    return share && showShare(walking, share, from);
  }

  async function proof(request: RouteRequest, base: string): Promise<Answer> {
    const { from, format } = queryOf(ProofQuery, request.search);
    const id = request.params.id ?? "";
    const shown = await publicProof(request, id, format === "json" ? { step: from } : partFrom(from));
    const url = `${config.baseUrl}/${base}/${encodeURIComponent(id)}`;
    if (format === "json") {
      if (!shown) throw serverError("not_found", "Nothing with this id is shared.");
      return answer(200, proofJson(shown, `${config.baseUrl}/r/${encodeURIComponent(id)}`));
    }
    if (!shown) return pageAnswer(404, NOTHING_HERE);
    const view = { heading: `Proof of ${id}`, url, jsonUrl: `${url}?format=json` };
    return pageAnswer(200, proofPage(shown, view));
  }

  const proofRoute = (base: "r" | "verify") =>
    ways.byAnyone({
      method: "GET",
      path: `/${base}/:id`,
      isLong: true,
      summary: "Shows a commit with its ancestors, or a trace, that an active share covers",
      contract: {
        tag: "shares",
        query: ProofQuery,
        answers: {
          200: { says: "the proof as a page, or as JSON" },
          404: { says: "nothing with this id is shared, whether there is something or not" },
        },
        examples: [
          { name: "a shared commit", params: { id: "{ctx}" }, query: { format: "json" }, status: 200 },
          { name: "a commit nobody shared", params: { id: "{other}" }, status: 404 },
        ],
      },
      handle: (request) => proof(request, base),
    });

  return [
    proofRoute("r"),
    proofRoute("verify"),
    ways.byAnyone({
      method: "GET",
      path: "/chain/:shareId",
      isLong: true,
      summary: "Shows a share as a page",
      contract: {
        tag: "shares",
        query: StepsQuery,
        answers: {
          200: { says: "the page" },
          404: { says: "there is no such share, or it was revoked" },
          410: { says: "its time is over" },
        },
        examples: [{ name: "a share", params: { shareId: "{share}" }, status: 200 }],
      },
      async handle(request) {
        const { from } = queryOf(StepsQuery, request.search);
        const id = request.params.shareId ?? "";
        try {
          const { share, shown } = await openShare(whileWaitedFor(ports, request), id, partFrom(from));
          return pageAnswer(
            200,
            proofPage(shown, {
              heading: share.label ?? "Chain of commits",
              url: `${config.baseUrl}/chain/${share.id}`,
              jsonUrl: `${config.baseUrl}/api/chain/${share.id}`,
              cardUrl: `${config.baseUrl}/api/og/${share.id}`,
              expiresMs: share.expiresMs,
              views: share.views + views.count(share.id),
            }),
          );
        } catch (error) {
          if (hasCode(error, "not_found")) return pageAnswer(404, NOTHING_HERE);
          if (hasCode(error, "share_expired")) return pageAnswer(410, TIME_IS_OVER);
          throw error;
        }
      },
    }),
  ];
}

/** A page is as long as somebody may want to read, however long the chain is. */
const PAGE_STEPS_MAX = 200;

const partFrom = (step: number): ShownFrom => ({ step, count: PAGE_STEPS_MAX });

/** Everything to recompute what is said (ledger.md 3.12). */
function proofJson(shown: Shown, verifyUrl: string) {
  const [first] = shown.steps;
  return {
    trace_id: first?.step.kind === "readable" ? first.step.commit.trace : null,
    chain_intact: shown.isIntact,
    broken_at: shown.brokenAt,
    reason: shown.reason,
    step_count: shown.totalSteps,
    ...restOf(shown),
    verification: shown.steps.map(verificationOf),
    commits: shown.steps.map(proofStep),
    verify_url: verifyUrl,
  };
}
