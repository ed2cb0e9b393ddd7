import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import type { Problem } from "../../fsck/report.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { queryOf } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { checkEntries, ENTRIES_CHECKED_MAX } from "./end-check.ts";
import { entryById } from "./log.store.ts";
import { Count, notThere } from "./log-input.ts";
import { entryView, proofView } from "./log-views.ts";
import type { ServerLog } from "./server-log.ts";

const ProofQuery = z.object({ tree_size: Count.optional() });
/** Each begins with what is stored before it, which the one before it has looked at. */
const CHECKED_AT_ONCE = 256;
const RangeQuery = z.object({ from: Count.optional(), to: Count.optional() });

/** What the log holds of a commit, the proof of it, and whether a stretch of it is sound. */
export function entryRoutes(ports: LedgerServerPorts, ways: Ways, { log }: ServerLog): Route[] {
  const { db } = ports;
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
      async handle(request) {
        const query = queryOf(RangeQuery, request.search);
        const size = (await log.head(db))?.size ?? 0;
        const from = query.from ?? 0;
        const last = Math.min(query.to ?? size - 1, size - 1);
        if (from > 0 && from > last) throw serverError("invalid_request", `The log has ${size} entries.`);
        const end = Math.min(last + 1, from + ENTRIES_CHECKED_MAX);
        const first = await firstProblem(whileWaitedFor(ports, request), from, end);
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

/** What is wrong first between two positions; `null` where nothing is. Other work has its turn in between. */
async function firstProblem(
  { db, clock }: Pick<LedgerServerPorts, "db" | "clock">,
  from: number,
  end: number,
): Promise<Problem | null> {
  let first: Problem | null = null;
  for (let at = from; at < end; at += CHECKED_AT_ONCE) {
    const found = await checkEntries(db, at, Math.min(end, at + CHECKED_AT_ONCE));
    first ??= found.first;
    await clock.turn();
  }
  return first;
}
