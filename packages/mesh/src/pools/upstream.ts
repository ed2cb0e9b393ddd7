import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { type Clock, MINUTE_MS } from "@darkmatter/core";
import {
  type Headers,
  netError,
  type OutboundMethod,
  type OutboundRequest,
  type Wire,
} from "@darkmatter/net";
import { OVER } from "../over.ts";
import type { Forward, UpstreamAnswer } from "./handler.ts";
import { consumerHeaders, secretsIn, upstreamHeaders } from "./headers.ts";
import type { Provider } from "./pool.ts";

/** The longest answer that is handed on whole, and the most a stream may bring. */
export const ANSWER_MAX = 8 * 1024 * 1024;
export const STREAM_BYTES_MAX = 64 * 1024 * 1024;
/** A stream is ended after so long, and when nothing came for the second. */
export const STREAM_MS = 10 * MINUTE_MS;
export const STREAM_IDLE_MS = MINUTE_MS;

export const METHODS: readonly string[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

const DECODERS: Readonly<Record<string, (body: Uint8Array, options: object) => Promise<Uint8Array>>> = {
  gzip: promisify(gunzip) as (body: Uint8Array, options: object) => Promise<Uint8Array>,
  deflate: promisify(inflate) as (body: Uint8Array, options: object) => Promise<Uint8Array>,
  br: promisify(brotliDecompress) as (body: Uint8Array, options: object) => Promise<Uint8Array>,
};

const NO_BYTES = new Uint8Array(0);

export interface Upstream {
  readonly provider: Provider;
  readonly credentialValue: string;
  readonly clock: Clock;
  /** For all that is asked, each answer whole, or the head of a stream. */
  readonly timeoutMs: number;
  /** Ends the call, and a stream however long it is under way. */
  readonly signal: AbortSignal;
}

/**
 * Calls one provider: exactly its host, no redirects, its credential in the place of whatever the consumer gave. What
 * it answers holds the credential nowhere, as far as it is whole.
 */
export function forwardTo(wire: Wire, upstream: Upstream): Forward {
  const { provider, credentialValue, clock, signal } = upstream;
  const endsAt = clock.monotonic() + upstream.timeoutMs;
  const leftMs = () => Math.max(1, endsAt - clock.monotonic());
  const secret = { header: provider.credentialHeader, value: credentialValue };

  return async ({ method, path, headers, body }, { streams = false } = {}) => {
    const request: OutboundRequest = {
      method: method as OutboundMethod,
      url: upstreamUrl(provider.baseUrl, path),
      headers: upstreamHeaders(headers, secret),
      ...(body !== "" && { body }),
      timeoutMs: leftMs(),
      signal,
      reach: provider.privateHost ? "private" : "public",
      maxBytes: streams ? STREAM_BYTES_MAX : ANSWER_MAX,
    };
    if (streams && wire.stream) {
      const answer = await wire.stream(request);
      return within(clock, leftMs(), streamed(answer, credentialValue));
    }
    const answer = await wire.request(request);
    return whole(answer.status, answer.headers, answer.body, credentialValue);
  };
}

/** @throws REQUEST_INVALID where the URL would be read as another path than the one given */
function upstreamUrl(baseUrl: string, path: string): string {
  const url = `${baseUrl.replace(/\/+$/, "")}${path}`;
  const parsed = URL.parse(url);
  const base = URL.parse(baseUrl);
  const isAsGiven = parsed && base && parsed.origin === base.origin && parsed.href.endsWith(path);
  if (!isAsGiven) throw netError("REQUEST_INVALID");
  return url;
}

async function streamed(
  answer: { status: number; headers: Headers; body: AsyncIterable<Uint8Array> },
  secret: string,
): Promise<UpstreamAnswer> {
  const { status, headers, body } = answer;
  const isEvents = /^text\/event-stream\b/i.test(headers["content-type"] ?? "");
  if (isEvents && encodingOf(headers) === "identity") {
    return { statusCode: status, headers: consumerHeaders(headers, secret), body: NO_BYTES, stream: body };
  }
  return whole(status, headers, await gathered(body), secret);
}

/** What is no stream after all has no more time than any answer. @throws TIMEOUT */
async function within<T>(clock: Clock, durationMs: number, work: Promise<T>): Promise<T> {
  const isOver = new AbortController();
  const late = clock.sleep(durationMs, isOver.signal).then(() => {
    throw netError("TIMEOUT");
  });
  late.catch(() => undefined);
  return Promise.race([work, late]).finally(() => isOver.abort(OVER));
}

async function gathered(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.byteLength;
    if (size > ANSWER_MAX) throw netError("ANSWER_TOO_LARGE");
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

async function whole(
  statusCode: number,
  headers: Headers,
  encoded: Uint8Array,
  secret: string,
): Promise<UpstreamAnswer> {
  const body = await decoded(headers, encoded);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (secretsIn(secret).some((one) => bytes.includes(one))) {
    throw netError("CONNECTION_LOST", "The provider's answer repeats its credential.");
  }
  const kept = { ...consumerHeaders(headers, secret) };
  if (body !== encoded) delete kept["content-length"];
  return { statusCode, headers: kept, body };
}

const encodingOf = (headers: Headers) => (headers["content-encoding"] || "identity").trim().toLowerCase();

/** Some servers compress although they were asked not to; the header that says so goes no further. */
async function decoded(headers: Headers, body: Uint8Array): Promise<Uint8Array> {
  const encoding = encodingOf(headers);
  if (encoding === "identity" || body.byteLength === 0) return body;
  const decode = DECODERS[encoding];
  if (!decode) throw netError("CONNECTION_LOST", "The provider's answer is in an unknown encoding.");
  return decode(body, { maxOutputLength: ANSWER_MAX });
}
