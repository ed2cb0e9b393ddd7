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

async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  const leave = () => void reader.cancel().catch(() => undefined);
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
    onEnd();
  }
}

/** A refusal in the protocol's own shape, for what never reached its library. */
export function rpcRefusal(status: number, code: number, message: string): Answer {
  return json(status, { jsonrpc: "2.0", error: { code, message }, id: null });
}
