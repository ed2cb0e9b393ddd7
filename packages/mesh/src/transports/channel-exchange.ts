import { isJsonObject, type JsonObject, parseJson, utf8 } from "@darkmatter/core";
import type { Handler, HandlerResponse, InboundRequest } from "@darkmatter/net";
import type { PeerAnswer } from "../peers.ts";
import { TEXT_BYTES_MAX } from "./channel-frames.ts";
import { isAllowedPath } from "./channel-paths.ts";
import type { PeerRequest } from "./transport.ts";

/** A request as it came over a channel. */
export interface ChannelRequest {
  readonly method: "GET" | "POST";
  /** From the root: `/__darkmatter__/message`. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  readonly body: JsonObject | undefined;
}

/**
 * Where a request over an agent's channel comes from, as its handler sees it: from afar, and each agent from an address
 * of its own, so that what is counted by address is counted for each. Nothing else comes from there (RFC 6666).
 */
export const channelAddress = (agentId: string): string =>
  `100::${[0, 4, 8, 12].map((at) => agentId.slice(at, at + 4)).join(":")}`;

const LINE_MAX = 2048;
const decoder = new TextDecoder();

export function requestText({ method, path: asked, body }: PeerRequest): string {
  const [path = "", query = ""] = asked.split("?", 2);
  return JSON.stringify({ method, path: `/__darkmatter__/${path}`, query, ...(body && { body }) });
}

/** Reads a request; `undefined` for one that breaks the rules. */
export function readRequest(text: string): ChannelRequest | undefined {
  const request = parseJson(text);
  if (!isJsonObject(request)) return undefined;
  const { method, path, query = "", body } = request;
  if (method !== "GET" && method !== "POST") return undefined;
  if (typeof path !== "string" || typeof query !== "string" || !path.startsWith("/")) return undefined;
  if (path.length > LINE_MAX || query.length > LINE_MAX) return undefined;
  if (body !== undefined && !isJsonObject(body)) return undefined;
  return { method, path, query, body };
}

export const answerText = (answer: PeerAnswer): string => {
  const text = JSON.stringify(answer);
  if (text.length <= TEXT_BYTES_MAX && utf8(text).length <= TEXT_BYTES_MAX) return text;
  return JSON.stringify({ status: 502, body: { error: "The answer is too long for a channel" } });
};

export function answerOf(text: string): PeerAnswer | undefined {
  const answer = parseJson(text);
  if (!isJsonObject(answer)) return undefined;
  const { status, body } = answer;
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599)
    return undefined;
  return isJsonObject(body) ? { status, body } : undefined;
}

/** Whether a request came over an agent's channel: then that channel is alive. */
export const isOverChannel = ({ remote }: Pick<InboundRequest, "remote">, agentId: string): boolean =>
  remote.address === channelAddress(agentId);

/** Hands a request to the node's own handler, as one from afar: a channel says nothing of where its peer is. */
export async function serveRequest(
  handler: Handler | undefined,
  { method, path, query, body }: ChannelRequest,
  address: string,
  signal: AbortSignal,
): Promise<PeerAnswer> {
  if (!handler) return { status: 503, body: { error: "Node not ready" } };
  if (!isAllowedPath(path)) return { status: 404, body: { error: "Not Found" } };
  const bytes = body === undefined ? new Uint8Array() : utf8(JSON.stringify(body));
  const response = await handler({
    method,
    path,
    query,
    headers: { ...(body && { "content-type": "application/json", "content-length": `${bytes.length}` }) },
    body: bytes,
    remote: { address, loopback: false },
    signal,
  });
  return { status: response.status, body: objectIn(response.body) };
}

function objectIn(body: HandlerResponse["body"]): JsonObject {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return {};
  const value = parseJson(typeof body === "string" ? body : decoder.decode(body));
  return isJsonObject(value) ? value : {};
}
