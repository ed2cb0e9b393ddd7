import type { Json } from "@darkmatter/core";
import type { Handler, InboundRequest } from "@darkmatter/net";

export interface HandlerCall {
  readonly method: string;
  /** With its query: `/inbox?limit=3`. */
  readonly path: string;
  /** `host` is `127.0.0.1` unless given here. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; a text and bytes as they are. */
  readonly body?: string | Uint8Array | object;
  /** The address of the caller. Default `127.0.0.1`. */
  readonly remote?: string;
  readonly signal?: AbortSignal;
}

export interface HandlerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly text: string;
  /** The body as JSON; `undefined` when it is none. */
  readonly json: Json | undefined;
}

/** Calls a handler as a request would, without any socket. A streamed body is read to its end. */
export async function callHandler(handler: Handler, call: HandlerCall): Promise<HandlerAnswer> {
  const answer = await handler(inbound(call));
  const text = await bodyText(answer.body);
  const { status, headers, cookies = [] } = answer;
  return { status, headers, cookies, text, json: parsed(text) };
}

/** The request a transport would make of a call. */
export function inbound(call: HandlerCall): InboundRequest {
  const [path = "/", query = ""] = call.path.split("?", 2);
  const address = call.remote ?? "127.0.0.1";
  const { body } = call;
  return {
    method: call.method,
    path,
    query,
    headers: {
      host: "127.0.0.1",
      ...(isData(body) ? { "content-type": "application/json" } : {}),
      ...call.headers,
    },
    body: bytesOf(body),
    remote: { address, loopback: /^(::ffff:)?127\.|^::1$/.test(address) },
    signal: call.signal ?? new AbortController().signal,
  };
}

function isData(body: HandlerCall["body"]): body is object {
  return typeof body === "object" && !(body instanceof Uint8Array);
}

function bytesOf(body: HandlerCall["body"]): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === "object" ? JSON.stringify(body) : (body ?? ""));
}

async function bodyText(body: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString("utf8");
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Plain texts are answers too.
    return undefined;
  }
}
