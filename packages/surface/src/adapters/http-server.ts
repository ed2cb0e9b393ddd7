import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SECOND_MS } from "@darkmatter/core";
import type { Handler, HandlerResponse, Headers, InboundRequest, Remote } from "@darkmatter/net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { surfaceError } from "../errors.ts";
import { BODY_BYTES_MAX, refusal } from "../route.ts";

/** Long, so that a peer's pooled sockets outlive its pauses: a socket closed under a request loses it. */
export const KEEP_ALIVE_MS = 120 * SECOND_MS;
/** A whole request has to arrive within this, its headers within the next: slow senders hold a socket no longer. */
export const REQUEST_MS = 30 * SECOND_MS;
export const HEADERS_MS = 10 * SECOND_MS;
export const HEADER_BYTES_MAX = 16 * 1024;
export const CONNECTIONS_MAX = 1024;
/** What is still open this long after `close` is cut: idle sockets go at once, streams never end by themselves. */
export const CLOSE_GRACE_MS = SECOND_MS;

export interface HttpServerOptions {
  readonly handler: Handler;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The largest body let through (`largestBody(routes)`). Default `BODY_BYTES_MAX`. */
  readonly maxBodyBytes?: number;
  /** Asked before more than `BODY_BYTES_MAX` of a body is read: large ones are held in memory for as long as they take. */
  readonly admitLarge?: AdmitLarge;
  /** Told what no handler could: a stream that broke on our side, a handler that rejected. */
  readonly onError: (error: unknown) => void;
}

/** Whether a body of so many bytes may be read; what is answered instead where it may not. */
export type AdmitLarge = (head: InboundRequest, bytes: number) => Promise<LargeBody>;

export type LargeBody =
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly answer: HandlerResponse };

export interface HttpServer {
  readonly port: number;
  /** `http://127.0.0.1:8100`, without a slash at its end. */
  readonly url: string;
  /** Ends idle sockets at once, running requests after `CLOSE_GRACE_MS`. */
  close(): Promise<void>;
}

/** Serves a handler over HTTP. @throws PORT_TAKEN, ADDRESS_UNAVAILABLE */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const app = await createApp(options);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    throw listenError(error, options);
  }
  const { port } = app.server.address() as AddressInfo;
  return { port, url: `http://${urlHost(options.host)}:${port}`, close: () => closeApp(app) };
}

/** The handler checks what comes: the framework's compilers of schemas, a tenth of a node's modules, are not loaded. */
const noCompiler = () => {
  throw new Error("no schema is compiled here");
};
const NO_SCHEMAS = { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } };

async function createApp(options: HttpServerOptions): Promise<FastifyInstance> {
  const { handler, maxBodyBytes = BODY_BYTES_MAX, onError, admitLarge } = options;
  // Loaded here, so that commands which serve nothing start without it.
  const { default: Fastify } = await import("fastify");
  const app = Fastify({
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_MS, connectionsCheckingInterval: 2000 },
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // The table behind the handler routes: here every path is one, and none is decoded, refused or redirected.
    rewriteUrl: () => "/",
    schemaController: NO_SCHEMAS,
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  // Imported, the module would load all that it has, a client of its own among it: a tenth of the program's start.
  const { METHODS } = process.getBuiltinModule("node:http");
  const methods = METHODS.filter((method) => method !== "CONNECT");
  // The framework would parse, or refuse by content type; signatures need the bytes as they came.
  for (const method of methods) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  app.route({
    method: methods,
    url: "/",
    async handler(request, reply) {
      let release = () => {};
      const admit = async (bytes: number) => {
        const large = await admitLarge?.(new Inbound(request, reply, NO_BYTES), bytes);
        if (large?.kind === "admitted") release = large.release;
        return large?.kind === "refused" ? large.answer : undefined;
      };
      try {
        const body = await readBody(request.raw, maxBodyBytes, admitLarge && admit);
        if (body === "gone") return reply.hijack();
        if (!(body instanceof Uint8Array)) return send(reply.header("connection", "close"), body, onError);
        return send(reply, await handler(new Inbound(request, reply, body)), onError);
      } finally {
        release();
      }
    },
  });
  app.setErrorHandler((error, _request, reply) => {
    onError(error);
    return send(reply, refusal(500, "Internal error"), onError);
  });
  return app;
}

const TOO_LARGE = refusal(413, "Request body too large");
const NO_BYTES = new Uint8Array(0);

/** The whole body; what is answered instead, without reading on; `gone` when the client left before its end. */
function readBody(
  raw: IncomingMessage,
  maxBytes: number,
  admit?: (bytes: number) => Promise<HandlerResponse | undefined>,
): Promise<Uint8Array | HandlerResponse | "gone"> | Uint8Array {
  const { "content-length": length, "transfer-encoding": encoding } = raw.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return NO_BYTES;
  return new Promise((resolve, reject) => {
    const announced = encoding === undefined ? Number(length) : undefined;
    if (announced !== undefined && announced > maxBytes) return resolve(TOO_LARGE);
    const chunks: Buffer[] = [];
    let size = 0;
    let mayBeLarge = admit === undefined;
    const ask = () => {
      mayBeLarge = true;
      raw.pause();
      admit?.(announced ?? maxBytes).then((refused) => (refused ? resolve(refused) : raw.resume()), reject);
    };
    if (!mayBeLarge && (announced ?? 0) > BODY_BYTES_MAX) ask();
    raw.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > maxBytes) return resolve(TOO_LARGE);
      chunks.push(chunk);
      if (!mayBeLarge && size > BODY_BYTES_MAX) ask();
    });
    raw.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
    raw.once("close", () => resolve("gone"));
    raw.once("error", () => resolve("gone"));
  });
}

class Inbound implements InboundRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly remote: Remote;
  readonly #response: ServerResponse;
  #aborted: AbortController | undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, body: Uint8Array) {
    const url = request.originalUrl;
    const mark = url.indexOf("?");
    this.method = request.method;
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? "" : url.slice(mark + 1);
    // Node joins repeated headers into one text, all but this one, which means nothing in a request.
    if (request.headers["set-cookie"]) delete request.headers["set-cookie"];
    this.headers = request.headers as Headers;
    this.body = body;
    const address = request.socket.remoteAddress ?? "";
    this.remote = { address, loopback: isLoopback(address) };
    this.#response = reply.raw;
  }

  /** Made when first asked for: most requests are answered without. */
  get signal(): AbortSignal {
    if (this.#aborted) return this.#aborted.signal;
    const aborted = new AbortController();
    this.#aborted = aborted;
    const response = this.#response;
    const end = () => {
      if (!response.writableFinished) aborted.abort(new DOMException("The caller went away", "AbortError"));
    };
    if (response.destroyed) end();
    else response.once("close", end);
    return aborted.signal;
  }
}

function send(reply: FastifyReply, answer: HandlerResponse, onError: (error: unknown) => void): FastifyReply {
  const { status, headers, body, cookies } = answer;
  if (cookies) reply.header("set-cookie", [...cookies]);
  if (typeof body === "string") return reply.code(status).headers(headers).send(body);
  if (body instanceof Uint8Array) {
    return reply
      .code(status)
      .headers(headers)
      .send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }
  reply.hijack();
  stream(reply.raw, status, headers, body).catch(onError);
  return reply;
}

/** The headers leave at once: a client of an event stream waits for them before it calls the stream open. */
async function stream(
  response: ServerResponse,
  status: number,
  headers: Headers,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  response.writeHead(status, headers);
  response.flushHeaders();
  try {
    await pipeline(Readable.from(body, { objectMode: false }), response);
  } catch (error) {
    if (!isClientGone(error)) throw error;
  }
}

function isClientGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return (
    code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET" || code === "EPIPE" || code === "ABORT_ERR"
  );
}

/** 127.0.0.0/8, ::1, and the former inside IPv6. */
export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

async function closeApp(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

function listenError(error: unknown, { host, port }: HttpServerOptions): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return surfaceError("PORT_TAKEN", `Another program listens on port ${port} of ${host}`, error);
  }
  if (code === "EADDRNOTAVAIL" || code === "EACCES")
    return surfaceError("ADDRESS_UNAVAILABLE", undefined, error);
  return error;
}

function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
