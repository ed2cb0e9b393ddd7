import type { Headers } from "@darkmatter/net";
import type { Provider } from "./pool.ts";

/** Money as a handler counts it: a decimal number or text in the provider's price token. */
export type Cost = number | string;

/** A consumer's request to a provider, after its path and headers were checked. */
export interface ProxyRequest {
  readonly method: string;
  /** Checked; below the provider's base URL. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** What a provider answered. `stream` stands in the place of `body` where a stream was asked for and came. */
export interface UpstreamAnswer {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly stream?: AsyncIterable<Uint8Array>;
}

/** Calls the provider: adds its credential, and keeps to limits of time and size. @throws what `Wire` throws */
export type Forward = (
  request: ProxyRequest,
  options?: { readonly streams?: boolean },
) => Promise<UpstreamAnswer>;

/** What the consumer gets, and what it costs. */
export interface ProxyResult {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Of a stream: what it costs when nothing better is known. */
  readonly cost: Cost;
  /** Bytes go to the consumer as they come, without the JSON around them. */
  readonly streaming?: boolean;
  readonly bodyStream?: AsyncIterable<Uint8Array>;
  /** What a stream cost, asked for when it has ended: by itself (`whole`), or before. */
  finalCost?(whole: boolean): Cost;
}

/**
 * How calls to a pool are checked, priced and made (mesh.md 11.2). Only `handlerType` and `proxy` are needed: by
 * default nothing is refused, and a call is estimated at the provider's price.
 */
export interface PoolHandler {
  readonly handlerType: string;
  /** Why a request is refused, in a sentence for the consumer; `null` for one that is not. */
  validateRequest?(
    provider: Provider,
    method: string,
    path: string,
    headers: Headers,
    body: string,
  ): string | null;
  /** What is set aside before the call. A call that costs more takes the rest from what the token still holds. */
  estimateCost?(provider: Provider, method: string, path: string, body: string): Cost;
  /** A throw means that the provider failed: the next one is tried. */
  proxy(provider: Provider, request: ProxyRequest, forward: Forward): Promise<ProxyResult>;
}
