/** Where a request came from, as the transport saw it: never what the peer claims. */
export interface Remote {
  /** Numeric address of the socket's other end. */
  readonly address: string;
  /** The other end is this very machine (loopback address). */
  readonly loopback: boolean;
}

export type Headers = Readonly<Record<string, string>>;

/** A request as a node's `Handler` gets it. Header names are lower case; the body is the raw bytes. */
export interface InboundRequest {
  readonly method: string;
  /** The path without query, still percent-encoded, beginning with `/`. */
  readonly path: string;
  /** The query without `?`; empty when there is none. */
  readonly query: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly remote: Remote;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

export interface HandlerResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Each is sent as a `set-cookie` header of its own. */
  readonly cookies?: readonly string[];
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** A node as the network sees it. Never rejects: an unforeseen error is a 500 answer. */
export type Handler = (request: InboundRequest) => Promise<HandlerResponse>;

/**
 * Which addresses a request may reach. In every case link-local (169.254/16, fe80::/10), unspecified, multicast and
 * broadcast addresses are refused; `public` also refuses loopback and private ones.
 */
export type Reach = "public" | "private";

export type OutboundMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";

export interface OutboundRequest {
  readonly method: OutboundMethod;
  readonly url: string;
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  readonly reach: Reach;
  /** Answers longer than this are an error. Default `ANSWER_BYTES_MAX`. */
  readonly maxBytes?: number;
  /** Redirects to follow, each checked again as a new request. Default 0: a 3xx is answered as it is. */
  readonly redirects?: number;
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** An answer whose body is read as it comes. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: Headers;
  /**
   * Read once; who stops reading ends the exchange. Throws ANSWER_TOO_LARGE beyond the request's `maxBytes`, ABORTED by
   * its signal, CONNECTION_LOST when it breaks off.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

export const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * The one way out to other nodes. An answer of any status resolves. Rejects with a `DarkMatterError`:
 * `UNREACHABLE` (no byte was exchanged: refused, no route, name unknown), `TIMEOUT`, `ADDRESS_REFUSED` (the guard),
 * `ANSWER_TOO_LARGE`, `CONNECTION_LOST` (bytes left, no answer came), `ABORTED`.
 */
export interface Wire {
  request(request: OutboundRequest): Promise<OutboundAnswer>;
  /**
   * The same, with an answer that is read as it comes: `timeoutMs` is for its head, its body ends with the signal.
   * Redirects are never followed.
   */
  stream?(request: OutboundRequest): Promise<StreamedAnswer>;
  /**
   * Uses no connection again that is open now; what is under way goes on. After a sleep or a change of network a
   * connection may be dead without a word, and the next request would be lost to it.
   */
  renew?(): void;
  close(): Promise<void>;
}
