import type { Route, RouteContract, RouteRequest } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { PASSPORT_SCHEMA } from "../commits/passport.ts";
import { serverError } from "../errors.ts";
import { queryOf, StorableText } from "../input.ts";
import { answer, jsonText } from "../json-text.ts";
import { madeOnce } from "../made-once.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { diffOf } from "./diff.ts";
import { judgeChain } from "./judged.ts";
import { passportSchemaText } from "./passport-schema.ts";
import { REPLAY_STEPS_MAX, replayOf } from "./replay.ts";
import { coveringView, lineageStep, listOf, verifiedStep } from "./views.ts";

const ReplayQuery = z.object({
  mode: z.enum(["full", "summary"]).default("full"),
  limit: z.coerce.number().int().min(1).max(REPLAY_STEPS_MAX).default(REPLAY_STEPS_MAX),
  cursor: z.coerce.number().int().min(1).default(1).describe("`nextCursor` of the answer before"),
});
const DiffQuery = z.object({ a: StorableText, b: StorableText });

const NOT_FOUND: RouteContract["answers"] = { 404: { says: "this account has no such commit" } };

/** Chains as they are read: replayed, verified, listed, compared. */
export function chainRoutes(ports: LedgerServerPorts, ways: Ways): Route[] {
  return [
    replay(ports, ways),
    verify(ports, ways),
    lineage(ports, ways),
    ...diff(ports, ways),
    schema(ports, ways),
  ];
}

function replay(ports: LedgerServerPorts, ways: Ways): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/replay/:id",
    isLong: true,
    summary: "Shows a chain step by step, from its first commit to this one",
    contract: {
      tag: "chains",
      query: ReplayQuery,
      answers: { 200: { says: "the steps; `truncated` where they are not all" }, ...NOT_FOUND },
      examples: [
        { name: "all of it", params: { id: "{ctx}" }, status: 200 },
        { name: "without payloads", params: { id: "{ctx}" }, query: { mode: "summary" }, status: 200 },
        { name: "a page of it", params: { id: "{ctx}" }, query: { limit: "2", cursor: "2" }, status: 200 },
        { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle(request, { account }) {
      const { mode, limit, cursor } = queryOf(ReplayQuery, request.search);
      const id = request.params.id ?? "";
      const found = await replayOf(whileWaitedFor(ports, request), account, id, {
        mode,
        limit,
        from: cursor,
      });
      if (!found) throw serverError("not_found");
      return answer(200, found);
    },
  });
}

function verify(ports: LedgerServerPorts, ways: Ways): Route {
  return ways.byEither({
    method: "GET",
    path: "/api/verify/:id",
    isLong: true,
    summary: "Recomputes a chain from its stored texts, and its place in the log",
    contract: {
      tag: "chains",
      answers: { 200: { says: "what holds, and the first step that does not" }, ...NOT_FOUND },
      examples: [
        { name: "a chain", params: { id: "{ctx}" }, status: 200 },
        { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle(request, { account }) {
      const id = request.params.id ?? "";
      const steps: string[] = [];
      const judged = await judgeChain(whileWaitedFor(ports, request), account, id, (step) =>
        steps.push(jsonText(verifiedStep(step))),
      );
      if (!judged) throw serverError("not_found");
      const { verdict, covering } = judged;
      return answer(200, {
        ctx_id: id,
        chain_intact: verdict.isIntact,
        broken_at: verdict.brokenAt,
        reason: verdict.reason,
        length: verdict.length,
        lineage_root: verdict.rootId,
        root_hash: verdict.rootHash,
        tip_hash: verdict.tipHash,
        forked: verdict.forks.length > 0,
        fork_points: verdict.forks,
        pruned_steps: verdict.pruned,
        verified_at: millisecondsTime(ports.clock.now()),
        steps: listOf(steps),
        v2: { chain_intact: verdict.isIntact && verdict.envelopesHold, tip_hash: verdict.tipHashV2 },
        checkpoint: covering ? coveringView(covering) : null,
      });
    },
  });
}

function lineage(ports: LedgerServerPorts, ways: Ways): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/lineage/:id",
    isLong: true,
    summary: "Lists where a commit comes from, itself first, without payloads",
    contract: {
      tag: "chains",
      answers: { 200: { says: "the commits; hashes are bare here" }, ...NOT_FOUND },
      examples: [
        { name: "a chain", params: { id: "{ctx}" }, status: 200 },
        { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle(request, { account }) {
      const id = request.params.id ?? "";
      const texts: string[] = [];
      const judged = await judgeChain(whileWaitedFor(ports, request), account, id, (step, { links }) =>
        texts.push(jsonText(lineageStep(step, links.length - 1 - step.index))),
      );
      if (!judged) throw serverError("not_found");
      return answer(200, {
        contextId: id,
        depth: judged.verdict.length,
        rootId: judged.verdict.rootId,
        chain: listOf(texts.reverse()),
        integrityVerified: judged.verdict.isIntact,
      });
    },
  });
}

function diff(ports: LedgerServerPorts, ways: Ways): Route[] {
  const compared = async (request: RouteRequest, account: number, a: string, b: string) => {
    const found = await diffOf(whileWaitedFor(ports, request), account, a, b);
    if (!found) throw serverError("not_found");
    return answer(200, found);
  };
  const answers = { 200: { says: "both chains side by side, and whether each verifies" }, ...NOT_FOUND };
  return [
    ways.byKey({
      method: "GET",
      path: "/api/diff/:a/:b",
      isLong: true,
      summary: "Compares two chains step by step",
      contract: {
        tag: "chains",
        answers,
        examples: [
          { name: "two chains", params: { a: "{ctx}", b: "{other}" }, status: 200 },
          { name: "no such commit", params: { a: "{ctx}", b: "ctx_1_000000000000" }, status: 404 },
        ],
      },
      handle: async (request, { account }) =>
        compared(request, account, request.params.a ?? "", request.params.b ?? ""),
    }),
    ways.byKey({
      method: "GET",
      path: "/api/diff",
      isLong: true,
      summary: "Compares two chains, named in the query",
      contract: {
        tag: "chains",
        query: DiffQuery,
        answers: { ...answers, 400: { says: "`a` or `b` is missing" } },
        examples: [
          { name: "two chains", query: { a: "{ctx}", b: "{other}" }, status: 200 },
          { name: "one only", query: { a: "{ctx}" }, status: 400 },
        ],
      },
      async handle(request, { account }) {
        const { a, b } = queryOf(DiffQuery, request.search);
        return compared(request, account, a, b);
      },
    }),
  ];
}

function schema({ config }: LedgerServerPorts, ways: Ways): Route {
  const text = madeOnce(() => passportSchemaText(config.baseUrl + PASSPORT_SCHEMA));
  return ways.byAnyone({
    method: "GET",
    path: PASSPORT_SCHEMA,
    summary: "The JSON Schema of a Context Passport",
    contract: {
      tag: "commits",
      answers: { 200: { says: "JSON Schema 2020-12" } },
      examples: [{ name: "the schema", status: 200 }],
    },
    handle: async () => ({
      status: 200,
      headers: { "content-type": "application/schema+json" },
      body: text(),
    }),
  });
}
