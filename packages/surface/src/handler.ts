import { isUtf8 } from "node:buffer";
import { DarkMatterError, isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import type { Handler, HandlerResponse, InboundRequest } from "@darkmatter/net";
import { type Answer, BODY_BYTES_MAX, json, type Route, type RouteRequest, text } from "./route.ts";
import { createRouter, type Match } from "./router.ts";

/** What went wrong while answering, for the log. Holds neither body nor headers. */
export interface HandlerReport {
  readonly method: string;
  /** The route's path as declared, so that no identifier of a caller reaches the log. */
  readonly route: string;
  readonly error: unknown;
  /** Of the request: aborted once whoever asked has gone. */
  readonly signal: AbortSignal;
}

export interface HandlerOptions {
  /** Told about every answer of 500. */
  readonly onError: (report: HandlerReport) => void;
  /** How refusals are worded that no route words itself. Default: as nodes do (mesh.md 4). */
  readonly refuse?: (refused: Refused) => Answer;
  /** No body is an empty object to `json` routes; it is refused otherwise. */
  readonly isBodyOptional?: boolean;
}

/** What the handler itself refuses, or a route threw. */
export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Of a 405: the methods there are. */
  readonly allow?: string;
}

const NOTHING: JsonObject = Object.freeze({});

/** Serves a table of routes. The handler never rejects. */
export function createHandler(
  routes: readonly Route[],
  { onError, refuse = refuseAsNodes, isBodyOptional = false }: HandlerOptions,
): Handler {
  const find = createRouter(routes);
  const read = (bytes: Uint8Array) => (isBodyOptional && bytes.byteLength === 0 ? NOTHING : jsonBody(bytes));

  return async (request) => {
    const match = find(request.method, request.path);
    if (match === "malformed") return refuse(MALFORMED_PATH);
    if (match.route === undefined) return refuse(missing(match.allowed));
    try {
      const answer = await serve(match.route, match.params, request, { refuse, read });
      return request.method === "HEAD" ? withoutBody(answer) : answer;
    } catch (error) {
      if (error instanceof DarkMatterError && error.status < 500) return refuse(error);
      const { method, signal } = request;
      onError({ method, route: match.route.path, error, signal });
      return refuse(error instanceof DarkMatterError ? error : INTERNAL);
    }
  };
}

/** The largest body any of these routes takes: what the server in front has to let through. */
export function largestBody(routes: readonly Route[]): number {
  return routes.reduce((most, route) => Math.max(most, route.maxBytes ?? BODY_BYTES_MAX), 0);
}

interface Manners {
  readonly refuse: (refused: Refused) => Answer;
  readonly read: typeof jsonBody;
}

async function serve(
  route: Route,
  params: Match["params"],
  request: InboundRequest,
  { refuse, read }: Manners,
): Promise<Answer> {
  const routed = new Routed(request, params);
  for (const guard of route.guards) {
    const refused = guard(routed);
    // Most guards answer at once: no turn of the event loop for them.
    const answer = refused instanceof Promise ? await refused : refused;
    if (answer) return answer;
  }
  if (request.body.byteLength > (route.maxBytes ?? BODY_BYTES_MAX)) return refuse(TOO_LARGE);
  if (route.body === "json") {
    const body = read(request.body);
    if (typeof body === "string") return refuse({ status: 400, code: "invalid_json", message: body });
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

const MALFORMED_PATH: Refused = {
  status: 400,
  code: "malformed_path",
  message: "The path is not validly percent-encoded",
};
const TOO_LARGE: Refused = { status: 413, code: "too_large", message: "Request body too large" };
const INTERNAL: Refused = { status: 500, code: "internal", message: "Internal error" };

function missing(allowed: readonly string[]): Refused {
  if (allowed.length === 0) return { status: 404, code: "not_found", message: "Not Found" };
  return {
    status: 405,
    code: "method_not_allowed",
    message: "Method Not Allowed",
    allow: allowed.join(", "),
  };
}

function refuseAsNodes({ status, code, message, hint, allow }: Refused): Answer {
  if (status === 405 && allow !== undefined) {
    const answer = text(status, message);
    return { ...answer, headers: { ...answer.headers, allow } };
  }
  if (code === "not_found") return text(status, message);
  return json(status, { error: message, ...(hint !== undefined && { hint }) });
}

/** A HEAD answer tells the length of the body it leaves out; a stream is never begun, so none is left running. */
function withoutBody(answer: HandlerResponse): HandlerResponse {
  const { body } = answer;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return { ...answer, body: "" };
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  return { ...answer, headers: { ...answer.headers, "content-length": String(length) }, body: "" };
}
