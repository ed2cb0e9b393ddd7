import { isUtf8 } from "node:buffer";
import { DarkMatterError, isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import type { Handler, HandlerResponse, InboundRequest } from "@darkmatter/net";
import { type Answer, BODY_BYTES_MAX, json, type Route, type RouteRequest, refusal, text } from "./route.ts";
import { createRouter, type Match } from "./router.ts";

/** What went wrong while answering, for the log. Holds neither body nor headers. */
export interface HandlerReport {
  readonly method: string;
  /** The route's path as declared, so that no identifier of a caller reaches the log. */
  readonly route: string;
  readonly error: unknown;
}

export interface HandlerOptions {
  /** Told about every answer of 500. */
  readonly onError: (report: HandlerReport) => void;
}

const NOTHING: JsonObject = Object.freeze({});

/** Serves a table of routes. The handler never rejects. */
export function createHandler(routes: readonly Route[], { onError }: HandlerOptions): Handler {
  const find = createRouter(routes);

  return async (request) => {
    const match = find(request.method, request.path);
    if (match === "malformed") return refusal(400, "The path is not validly percent-encoded");
    if (match.route === undefined) return missing(match.allowed);
    try {
      const answer = await serve(match.route, match.params, request);
      return request.method === "HEAD" ? withoutBody(answer) : answer;
    } catch (error) {
      if (error instanceof DarkMatterError && error.status < 500) return errorAnswer(error);
      onError({ method: request.method, route: match.route.path, error });
      return error instanceof DarkMatterError ? errorAnswer(error) : refusal(500, "Internal error");
    }
  };
}

/** The largest body any of these routes takes: what the server in front has to let through. */
export function largestBody(routes: readonly Route[]): number {
  return routes.reduce((most, route) => Math.max(most, route.maxBytes ?? BODY_BYTES_MAX), 0);
}

async function serve(route: Route, params: Match["params"], request: InboundRequest): Promise<Answer> {
  const routed = new Routed(request, params);
  for (const guard of route.guards) {
    const refused = guard(routed);
    // Most guards answer at once: no turn of the event loop for them.
    const answer = refused instanceof Promise ? await refused : refused;
    if (answer) return answer;
  }
  if (request.body.byteLength > (route.maxBytes ?? BODY_BYTES_MAX))
    return refusal(413, "Request body too large");
  if (route.body === "json") {
    const body = jsonBody(request.body);
    if (typeof body === "string") return refusal(400, body);
    routed.json = body;
  }
  return route.handle(routed);
}

/** Guards see it with the raw body only; `json` is filled in after them. Spreading it loses `signal` and `search`. */
class Routed implements RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: InboundRequest["headers"];
  readonly body: Uint8Array;
  readonly remote: InboundRequest["remote"];
  readonly params: Match["params"];
  json: JsonObject = NOTHING;
  readonly #request: InboundRequest;
  #search: URLSearchParams | undefined;

  constructor(request: InboundRequest, params: Match["params"]) {
    this.method = request.method;
    this.path = request.path;
    this.query = request.query;
    this.headers = request.headers;
    this.body = request.body;
    this.remote = request.remote;
    this.params = params;
    this.#request = request;
  }

  /** Made by the transport when first asked for: most requests end without anybody asking. */
  get signal(): AbortSignal {
    return this.#request.signal;
  }

  get search(): URLSearchParams {
    this.#search ??= new URLSearchParams(this.query);
    return this.#search;
  }
}

/** The object in a body, or what is wrong with it. */
function jsonBody(bytes: Uint8Array): JsonObject | string {
  // Decoding would put U+FFFD where bytes are damaged, and a signature over the text would then be of another text.
  if (!isUtf8(bytes)) return "Invalid JSON: the body is not UTF-8";
  const value = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  if (value === undefined) return "Invalid JSON";
  return isJsonObject(value) ? value : "Invalid JSON: the body must be an object";
}

function errorAnswer(error: DarkMatterError): Answer {
  return json(error.status, { error: error.message, hint: error.hint });
}

function missing(allowed: readonly string[]): Answer {
  if (allowed.length === 0) return text(404, "Not Found");
  const answer = text(405, "Method Not Allowed");
  return { ...answer, headers: { ...answer.headers, allow: allowed.join(", ") } };
}

/** A HEAD answer tells the length of the body it leaves out; a stream is never begun, so none is left running. */
function withoutBody(answer: HandlerResponse): HandlerResponse {
  const { body } = answer;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return { ...answer, body: "" };
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  return { ...answer, headers: { ...answer.headers, "content-length": String(length) }, body: "" };
}
