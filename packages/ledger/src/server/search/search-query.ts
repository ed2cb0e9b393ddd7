import { DAY_MS } from "@darkmatter/core";
import { z } from "zod";
import { serverError } from "../errors.ts";
import { queryOf } from "../input.ts";
import type { Cursor, SearchWishes } from "./search.ts";

const LIMIT = 50;
const LIMIT_MAX = 200;
const TEXT_CHARACTERS_MAX = 10_000;
const NAME_CHARACTERS_MAX = 1000;

const Name = z.string().max(NAME_CHARACTERS_MAX).optional();

/** What may be asked of a search; an empty value is as none. */
export const SearchQuery = z.object({
  q: z
    .string()
    .max(TEXT_CHARACTERS_MAX)
    .optional()
    .describe("part of the payload's text, in any case; escapes in its strings resolved"),
  model: Name,
  provider: Name,
  event: Name.describe("a type or a label"),
  traceId: Name,
  agentId: Name.describe("whose commits"),
  verified: z.enum(["true", "false"]).optional().describe("whether recomputing the commit finds it valid"),
  from: z.string().optional().describe("accepted then or later: a date or a time, ISO 8601"),
  to: z.string().optional().describe("accepted then or earlier; a date is the whole day"),
  limit: z
    .string()
    .regex(/^[0-9]{1,9}$/, "is a number")
    .optional()
    .describe(`at most ${LIMIT_MAX}; ${LIMIT} when left out`),
  cursor: z
    .string()
    .regex(/^[0-9]{1,15}-[0-9]{1,15}$/, "is the `nextCursor` of an answer")
    .optional(),
});

/** @throws invalid_request */
export function wishesOf(search: URLSearchParams): {
  readonly q: string | null;
  readonly wishes: SearchWishes;
} {
  const asked = queryOf(SearchQuery, new URLSearchParams([...search].filter(([, value]) => value !== "")));
  const limit = asked.limit === undefined ? LIMIT : Number(asked.limit);
  if (limit < 1) throw serverError("invalid_request", "`limit`: is at least 1.");
  const wishes = {
    text: asked.q,
    model: asked.model,
    provider: asked.provider,
    event: asked.event,
    trace: asked.traceId,
    agent: asked.agentId,
    verified: asked.verified === undefined ? undefined : asked.verified === "true",
    fromMs: asked.from === undefined ? undefined : momentOf("from", asked.from).startMs,
    beforeMs: asked.to === undefined ? undefined : momentOf("to", asked.to).endMs,
    limit: Math.min(limit, LIMIT_MAX),
    cursor: asked.cursor === undefined ? undefined : cursorOf(asked.cursor),
  };
  return { q: asked.q ?? null, wishes };
}

export const cursorText = ({ size, before }: Cursor) => `${size}-${before}`;

function cursorOf(text: string): Cursor {
  const [size = 0, before = 0] = text.split("-").map(Number);
  return { size, before };
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?$/;

/** From the first millisecond to the one after the last. Times without an offset are UTC. @throws invalid_request */
function momentOf(name: string, text: string): { readonly startMs: number; readonly endMs: number } {
  const isDate = DATE.test(text);
  // A plus that was not escaped arrives as a space.
  const time = text.replace(" ", "+");
  const isTime = TIME.test(time);
  const startMs =
    isDate || isTime
      ? Date.parse(isTime && !/(Z|[+-]\d{2}:\d{2})$/.test(time) ? `${time}Z` : time)
      : Number.NaN;
  if (Number.isNaN(startMs) || (isDate && new Date(startMs).toISOString().slice(0, 10) !== text))
    throw serverError("invalid_request", `\`${name}\`: is a date or a time, ISO 8601.`);
  return { startMs, endMs: startMs + (isDate ? DAY_MS : 1) };
}
