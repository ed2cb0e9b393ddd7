import type { Headers, OutboundAnswer, OutboundRequest } from "./wire.ts";

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Follows as many redirects of a GET as the request allows, each sent as a new request that is checked again.
 * Another origin hears no headers but `accept`: the rest was meant for the first.
 */
export async function followRedirects(
  request: OutboundRequest,
  send: (request: OutboundRequest) => Promise<OutboundAnswer>,
): Promise<OutboundAnswer> {
  let current = request;
  for (let left = request.redirects ?? 0; ; left--) {
    const answer = await send(current);
    const target = left > 0 && request.method === "GET" ? redirectTarget(answer, current.url) : undefined;
    if (!target) return answer;
    current = { ...current, url: target.href, headers: headersFor(current, target) };
  }
}

function redirectTarget(answer: OutboundAnswer, url: string): URL | undefined {
  const { location } = answer.headers;
  if (!REDIRECTS.has(answer.status) || !location) return undefined;
  return URL.parse(location, url) ?? undefined;
}

function headersFor({ url, headers = {} }: OutboundRequest, target: URL): Headers {
  if (new URL(url).origin === target.origin) return headers;
  return headers.accept ? { accept: headers.accept } : {};
}
