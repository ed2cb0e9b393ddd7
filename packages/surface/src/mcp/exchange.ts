import type { HandlerResponse, InboundRequest } from "@darkmatter/net";
import { type Answer, json } from "../route.ts";

/** The web-standard request the protocol library reads. Its body stays out: that is parsed once, by the caller. */
export function webRequest({ method, path, headers, signal }: InboundRequest): Request {
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith(":"));
  // The library reads headers and the method only; where it lies is ours.
  return new Request(`http://127.0.0.1${path}`, { method, headers: kept, signal });
}

/**
 * What the library answered, as a handler's answer. A stream ends when its caller leaves, and `onEnd` runs once,
 * whether there was one or not.
 */
export function handlerResponse(response: Response, signal: AbortSignal, onEnd: () => void): HandlerResponse {
  const headers = Object.fromEntries(response.headers);
  // Hop-by-hop: the server in front knows the connection, the library does not.
  delete headers.connection;
  if (!response.body) {
    onEnd();
    return { status: response.status, headers, body: "" };
  }
  return { status: response.status, headers, body: chunksOf(response.body, signal, onEnd) };
}

function chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): AsyncIterable<Uint8Array> {
  const reader = body.getReader();
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    signal.removeEventListener("abort", end);
    // A stream that broke already has nothing left to cancel.
    reader.cancel().catch(() => undefined);
    onEnd();
  };
  // Listening begins here and not with the first chunk: a caller may leave before anybody reads one.
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return (async function* () {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    } finally {
      end();
    }
  })();
}

/** A refusal in the protocol's own shape, for what never reached its library. */
export function rpcRefusal(status: number, code: number, message: string): Answer {
  return json(status, { jsonrpc: "2.0", error: { code, message }, id: null });
}
