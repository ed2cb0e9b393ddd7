import type { LookupAddress } from "node:dns";
import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { type Clock, DarkMatterError, systemClock } from "@darkmatter/core";
import type { buildConnector, Dispatcher } from "undici";
import { bareHost } from "../addresses.ts";
import { netError } from "../errors.ts";
import { admitUrl, mayReach, reachableAddresses } from "../guard.ts";
import { followRedirects } from "../redirects.ts";
import {
  ANSWER_BYTES_MAX,
  type OutboundRequest,
  type Reach,
  type StreamedAnswer,
  type Wire,
} from "../wire.ts";
import { Exchange } from "./exchange.ts";
import { StreamedExchange } from "./streamed-exchange.ts";

/** Requests in flight to one origin; more wait. */
export const SOCKETS_PER_ORIGIN_MAX = 128;

const CONNECT_TIMEOUT_MS = 10_000;
/** Below what servers usually keep idle sockets for (5 s), so that none is lost to a request that meets its end. */
const KEEP_ALIVE_MS = 4_000;

/** All addresses of a name; rejects when it has none. */
export type Lookup = (hostname: string) => Promise<readonly LookupAddress[]>;

export interface UndiciWireOptions {
  readonly clock?: Clock;
  readonly lookup?: Lookup;
}

interface Library {
  readonly Agent: typeof import("undici").Agent;
  readonly buildConnector: typeof import("undici").buildConnector;
}

/**
 * Loaded by the first request: most commands make none. The two files that are used load 44 modules, the whole library
 * 223, which takes a tenth of the time a node takes to start.
 */
let library: Promise<Library> | undefined;

function loadLibrary(): Promise<Library> {
  library ??= importLibrary().catch((error: unknown) => {
    // What was short then, as files that may be open, need not be at the next request.
    library = undefined;
    throw error;
  });
  return library;
}

async function importLibrary(): Promise<Library> {
  const [agent, connect] = await Promise.all([
    import("undici/lib/dispatcher/agent.js"),
    import("undici/lib/core/connect.js"),
  ]);
  return { Agent: agent.default, buildConnector: connect.default };
}

/** HTTP to other nodes. Each name is resolved once per connection, checked, and connected to as checked. */
export function createUndiciWire({
  clock = systemClock,
  lookup = systemResolver,
}: UndiciWireOptions = {}): Wire {
  /** A socket is reused by later requests to its origin: those of one reach must never meet another's. */
  const lines = new Map<Reach, Dispatcher>();
  /** The errors of connections that were never made: no byte of a request that ends with one was sent. */
  const neverConnected = new WeakSet<object>();
  let isClosed = false;
  /** Those of before that still have requests under way. */
  const closing = new Set<Dispatcher>();

  function lineOf(loaded: Library, reach: Reach): Dispatcher {
    if (isClosed) throw netError("ABORTED");
    const line = lines.get(reach) ?? openLine(loaded, reach, lookup, neverConnected);
    lines.set(reach, line);
    return line;
  }

  function retire(line: Dispatcher): void {
    closing.add(line);
    // Resolves once the last answer is there; a destroyed line has none left to wait for.
    line.close().then(
      () => closing.delete(line),
      () => closing.delete(line),
    );
  }

  function start(request: OutboundRequest, line: Dispatcher): Exchange {
    return new Exchange(line, dispatched(request), request.maxBytes ?? ANSWER_BYTES_MAX);
  }

  return {
    async request(request) {
      const loaded = await loadLibrary();
      let exchange: Exchange | undefined;
      let gaveUp: DarkMatterError | undefined;
      let hasBegun = false;
      const giveUp = (code: "TIMEOUT" | "UNREACHABLE" | "ABORTED", cause?: unknown) => {
        gaveUp ??= netError(code, undefined, cause);
        exchange?.abort(gaveUp);
      };
      const { signal } = request;
      const stop = () => giveUp("ABORTED", signal?.reason);
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      // @NOTE A signal of its own for each deadline costs as much as the request.
      using _deadline = clock.every(
        Math.max(1, request.timeoutMs),
        // An address where nothing answers, as after its owner has moved, is as good as one where nobody listens.
        async () => giveUp(hasBegun || exchange?.hasBegun ? "TIMEOUT" : "UNREACHABLE"),
        giveUpLoudly,
      );
      try {
        return await followRedirects(request, async (hop) => {
          if (gaveUp) throw gaveUp;
          hasBegun ||= exchange?.hasBegun ?? false;
          exchange = start(hop, lineOf(loaded, hop.reach));
          return exchange.answer;
        });
      } catch (error) {
        throw asWireError(error, neverConnected);
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    },
    async stream(request) {
      const loaded = await loadLibrary();
      const exchange = new StreamedExchange(
        lineOf(loaded, request.reach),
        dispatched(request),
        request.maxBytes ?? ANSWER_BYTES_MAX,
      );
      const { signal } = request;
      const stop = () => exchange.abort(netError("ABORTED", undefined, signal?.reason));
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      let answer: StreamedAnswer;
      {
        using _deadline = clock.every(
          Math.max(1, request.timeoutMs),
          async () => exchange.abort(netError(exchange.hasBegun ? "TIMEOUT" : "UNREACHABLE")),
          giveUpLoudly,
        );
        answer = await exchange.answer.catch((error: unknown) => {
          signal?.removeEventListener("abort", stop);
          throw asWireError(error, neverConnected);
        });
      }
      return { ...answer, body: told(answer.body, () => signal?.removeEventListener("abort", stop)) };
    },
    renew() {
      for (const line of lines.values()) retire(line);
      lines.clear();
    },
    async close() {
      isClosed = true;
      await Promise.all([...lines.values(), ...closing].map((line) => line.destroy()));
    },
  };
}

function dispatched({ url, method, headers, body }: OutboundRequest): Dispatcher.DispatchOptions {
  const { origin, pathname, search } = admitUrl(url);
  // The deadline covers the whole exchange.
  const limits = { headersTimeout: 0, bodyTimeout: 0 };
  return { origin, path: pathname + search, method, headers: headers ?? null, body: body ?? null, ...limits };
}

/** A body whose failures are a wire's, and `ended` once it is over. */
async function* told(body: AsyncIterable<Uint8Array>, ended: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (error instanceof DarkMatterError) throw error;
    throw netError("CONNECTION_LOST", undefined, error);
  } finally {
    ended();
  }
}

/** Giving up cannot fail. */
function giveUpLoudly(error: unknown): never {
  throw error;
}

const systemResolver: Lookup = (hostname) => systemLookup(hostname, { all: true });

function openLine(
  { Agent, buildConnector }: Library,
  reach: Reach,
  lookup: Lookup,
  neverConnected: WeakSet<object>,
): Dispatcher {
  // `net.connect` asks this hook once, tries exactly what it answers (IPv6 and IPv4 in turn), and nothing else.
  const resolveAndCheck: LookupFunction = (hostname, _options, done) => {
    lookup(hostname).then(
      (found) => {
        const admitted = found.filter(({ address }) => mayReach(address, reach));
        if (admitted.length > 0) done(null, admitted);
        else done(netError("ADDRESS_REFUSED"), []);
      },
      (error: Error) => done(error, []),
    );
  };
  const connect = buildConnector({
    lookup: resolveAndCheck,
    autoSelectFamily: true,
    timeout: CONNECT_TIMEOUT_MS,
  });
  const guardedConnect: buildConnector.connector = (options, done) => {
    const fail = (error: Error) => {
      neverConnected.add(error);
      done(error, null);
    };
    try {
      // The hook is not asked about addresses.
      const host = bareHost(options.hostname);
      if (isIP(host)) reachableAddresses([host], reach);
      connect(options, (error, socket) => (error ? fail(error) : done(null, socket)));
    } catch (error) {
      fail(error as Error);
    }
  };
  return new Agent({
    connect: guardedConnect,
    connections: SOCKETS_PER_ORIGIN_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  });
}

function asWireError(error: unknown, neverConnected: WeakSet<object>): DarkMatterError {
  if (error instanceof DarkMatterError) return error;
  const { code } = error as { code?: string };
  if (code === "UND_ERR_INVALID_ARG") return netError("REQUEST_INVALID", undefined, error);
  if (code === "UND_ERR_HEADERS_OVERFLOW") return netError("ANSWER_TOO_LARGE", undefined, error);
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") return netError("ABORTED", undefined, error);
  return netError(neverConnected.has(error as object) ? "UNREACHABLE" : "CONNECTION_LOST", undefined, error);
}
