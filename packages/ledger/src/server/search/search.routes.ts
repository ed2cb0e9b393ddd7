import type { Route, RouteRequest } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { listCommits } from "../chains/listed.ts";
import { agentInfoOf } from "../chains/views.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { Search } from "./search.ts";
import { cursorText, SearchQuery, wishesOf } from "./search-query.ts";

const Passports = z.array(z.looseObject({ id: z.string() }));

export function searchRoutes(ports: LedgerServerPorts, ways: Ways, search: Search): Route[] {
  const listed = (request: RouteRequest, positions: readonly number[]) =>
    listCommits(whileWaitedFor(ports, request), positions);

  return [
    ways.byKey({
      method: "GET",
      path: "/api/search",
      isLong: true,
      summary: "Finds commits of the account by what their payloads say, newest first",
      contract: {
        tag: "commits",
        query: SearchQuery,
        answers: {
          200: {
            says: "a page of what was found, and how much there is",
            schema: z.object({
              results: Passports,
              count: z.int(),
              total: z.int(),
              query: z.string().nullable(),
              nextCursor: z.string().nullable(),
            }),
          },
          400: { says: "a filter is not of its form" },
        },
        examples: [
          { name: "the newest", query: { limit: "3" }, status: 200 },
          { name: "by a word, within a trace", query: { q: "answer", traceId: "{trace}" }, status: 200 },
          { name: "no such day", query: { to: "2026-02-30" }, status: 400 },
        ],
      },
      async handle(request, { account }) {
        const { q, wishes } = wishesOf(request.search);
        const { positions, total, next } = await search.find(account, wishes, request.signal);
        const results = (await listed(request, positions)).map((one) => ({
          ...one.passport,
          ...(one.kind === "readable" && {
            timestamp: millisecondsTime(one.commit.acceptedMs),
            agent_info: agentInfoOf(one.commit),
          }),
        }));
        const nextCursor = next ? cursorText(next) : null;
        return answer(200, { results, count: results.length, total, query: q, nextCursor });
      },
    }),
    ways.bySession({
      method: "GET",
      path: "/dashboard/commits",
      isLong: true,
      summary: "The account's commits, newest first; `Link` leads to the next page",
      contract: {
        tag: "dashboard",
        query: SearchQuery,
        answers: {
          200: {
            says: "a page of passports, each with who committed it for whom",
            schema: z.array(
              z.looseObject({ from: z.string(), fromId: z.string(), to: z.string(), toId: z.string() }),
            ),
          },
          400: { says: "a filter is not of its form" },
        },
        examples: [{ name: "the newest", query: { limit: "2" }, status: 200 }],
      },
      async handle(request, { account }) {
        const { wishes } = wishesOf(request.search);
        const { positions, total, next } = await search.find(account, wishes, request.signal);
        const rows = (await listed(request, positions)).map((one) => ({
          ...one.passport,
          from: one.kind === "readable" ? one.commit.agentName : "",
          fromId: one.kind === "readable" ? one.commit.agent : "",
          to: one.kind === "readable" ? one.commit.toAgentName : "",
          toId: one.kind === "readable" ? one.commit.toAgent : "",
        }));
        return answer(200, rows, {
          "x-total-count": String(total),
          ...(next && { link: nextLink(request.search, cursorText(next)) }),
        });
      },
    }),
  ];
}

/** RFC 8288: the same question, from where this page ends. */
function nextLink(asked: URLSearchParams, cursor: string): string {
  const search = new URLSearchParams(asked);
  search.set("cursor", cursor);
  return `</dashboard/commits?${search}>; rel="next"`;
}
