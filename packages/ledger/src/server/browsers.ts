import type { Handler, HandlerResponse, InboundRequest } from "@darkmatter/net";
import type { LedgerServerConfig } from "./ports.ts";

/** A browser asks again after so long whether it may call. */
const PREFLIGHT_SECONDS = "600";

const ALLOWED = {
  "access-control-allow-methods": "GET, POST, DELETE",
  "access-control-allow-headers": "authorization, content-type, idempotency-key",
  "access-control-max-age": PREFLIGHT_SECONDS,
};
const EXPOSED = {
  "access-control-expose-headers": "ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after",
};

/** On every answer that does not say otherwise: it is what its type says, nobody's frame, and nobody keeps it. */
const GUARDED = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/**
 * What browsers are told around a handler. Pages of the listed origins may call with keys and sessions they hold, never
 * with cookies: no answer allows credentials.
 */
export function forBrowsers(
  handler: Handler,
  { allowedOrigins }: Pick<LedgerServerConfig, "allowedOrigins">,
): Handler {
  return async (request) => {
    const origin = allowedOriginOf(request, allowedOrigins);
    const answer = isPreflight(request) && origin ? preflightAnswer() : await handler(request);
    return { ...answer, headers: { ...GUARDED, ...sharedWith(origin, allowedOrigins), ...answer.headers } };
  };
}

function allowedOriginOf({ headers }: InboundRequest, allowedOrigins: readonly string[]): string | undefined {
  const { origin } = headers;
  return origin !== undefined && allowedOrigins.includes(origin) ? origin : undefined;
}

const isPreflight = ({ method, headers }: InboundRequest) =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined;

const preflightAnswer = (): HandlerResponse => ({ status: 204, headers: ALLOWED, body: "" });

function sharedWith(origin: string | undefined, allowedOrigins: readonly string[]): Record<string, string> {
  if (allowedOrigins.length === 0) return {};
  return { vary: "origin", ...(origin && { "access-control-allow-origin": origin, ...EXPOSED }) };
}
