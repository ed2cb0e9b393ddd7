import { hasCode, type JsonObject, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Headers } from "@darkmatter/net";
import { type Answer, json } from "@darkmatter/surface";
import type { Connections } from "../connections/connections.ts";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import { OVER } from "../over.ts";
import type { MeshPorts } from "../ports.ts";
import { type Amount, amountNumber, parseAmount } from "./amount.ts";
import type { Balances, Reserve } from "./balances.ts";
import type { Cost, PoolHandler, ProxyRequest, ProxyResult } from "./handler.ts";
import type { Handlers } from "./handlers.ts";
import { readHeaders } from "./headers.ts";
import { checkedPath, isBelow } from "./path.ts";
import { type AccessToken, type Pool, type Provider, sameToken } from "./pool.ts";
import { countCall, readCredential, readPool, readProviders, readToken } from "./pools.store.ts";
import { watched } from "./stream.ts";
import { forwardTo, METHODS } from "./upstream.ts";

/** For a call in all, whatever number of providers are tried (mesh.md 11.2). */
const CALL_MS = 30 * SECOND_MS;
/** Calls at once: each may hold an answer of 8 MiB. */
const CALLS_MAX = 128;
/** Of them, those of one consumer: its slow streams must not keep all others out. */
const CALLS_OF_CONSUMER_MAX = 112;
const TOO_MANY = "Too many calls at once: try again in a moment";
/** While others are left, one provider gets this part of the time that is left. */
const SHARE = 2 / 3;

/** Calls of consumers to providers. */
export interface PoolProxy {
  /** The answer to a `pool_proxy`: JSON, or the provider's stream. `gone` aborts when the consumer leaves. */
  call(body: Body, gone: AbortSignal): Promise<Answer>;
}

export interface ProxyServices {
  readonly balances: Balances;
  readonly handlers: Handlers;
  readonly connections: Pick<Connections, "isBlocked">;
  /** Makes a pool's own handler known. */
  loadHandler(pool: Pool): Promise<void>;
}

const failure = (status: number, error: string): Answer => json(status, { success: false, error });

interface Call {
  readonly token: AccessToken;
  readonly handler: PoolHandler;
  readonly request: ProxyRequest;
  readonly gone: AbortSignal;
}

export function createProxy(ports: MeshPorts, services: ProxyServices): PoolProxy {
  const { db, clock, wire, report } = ports;
  const { balances } = services;
  let underWay = 0;
  const underWayOf = new Map<string, number>();

  function countOf(consumer: string, by: 1 | -1): void {
    const count = (underWayOf.get(consumer) ?? 0) + by;
    if (count > 0) underWayOf.set(consumer, count);
    else underWayOf.delete(consumer);
  }

  async function call(body: Body, gone: AbortSignal): Promise<Answer> {
    const { pool_id: poolId, access_token: tokenId } = body;
    if (!isText(poolId) || !isText(tokenId) || !isText(body.path)) {
      return json(400, { error: "Missing pool_id, access_token, or path" });
    }
    const request = readRequest(body);
    if (typeof request === "string") return failure(400, request);
    const pool = await readPool(db, poolId);
    if (!pool) return failure(404, "Pool not found");
    const token = await readToken(db, tokenId);
    if (token?.poolId !== poolId) return failure(403, "Invalid access token");
    if (token.revoked || (await services.connections.isBlocked(db, token.consumer))) {
      return failure(403, "Access token revoked");
    }
    const able = (await readProviders(db, poolId)).filter((provider) => allows(provider, request.path));
    if (able.length === 0) return failure(404, "No provider available for this path");
    await services.loadHandler(pool);
    const handler = services.handlers.getHandler(pool.handlerType);
    if (!handler) return failure(500, `Unknown handler type: ${pool.handlerType}`);
    const payable = able.filter(({ priceToken }) => sameToken(priceToken, token.mint)).sort(cheapestFirst);
    if (payable.length === 0)
      return failure(402, `Insufficient balance: no provider is paid in ${token.mint}`);
    const { consumer } = token;
    if ((underWayOf.get(consumer) ?? 0) >= CALLS_OF_CONSUMER_MAX) return failure(429, TOO_MANY);
    countOf(consumer, 1);
    return tryEach(payable, { token, handler, request, gone }).finally(() => countOf(consumer, -1));
  }

  /** The cheapest first; when one fails, the next cheapest that is left. */
  async function tryEach(providers: readonly Provider[], made: Call): Promise<Answer> {
    const { handler, request, token } = made;
    const endsAt = clock.monotonic() + CALL_MS;
    let failed: string | undefined;
    for (const [at, provider] of providers.entries()) {
      const { method, path, headers, body } = request;
      const refused = handler.validateRequest?.(provider, method, path, headers, body) ?? null;
      if (refused !== null) return failure(400, refused);
      const estimate = costOf(handler.estimateCost?.(provider, method, path, body), provider.pricePerCall);
      const reserved = await balances.reserve(db, token.tokenId, estimate);
      if (!reserved) break;
      const leftMs = endsAt - clock.monotonic();
      const timeoutMs = at < providers.length - 1 ? leftMs * SHARE : leftMs;
      const answer = await serve(provider, made, reserved, Math.max(1, timeoutMs));
      if ("status" in answer) return answer;
      failed = answer.reason;
      if (made.gone.aborted || clock.monotonic() >= endsAt) break;
    }
    return failed === undefined
      ? failure(402, "Insufficient balance")
      : failure(502, `Provider failed: ${failed}`);
  }

  async function serve(
    provider: Provider,
    { token, handler, request, gone }: Call,
    reserved: Reserve,
    timeoutMs: number,
  ): Promise<Answer | { readonly reason: string }> {
    let isStreaming = false;
    const stop = new AbortController();
    const leave = () => stop.abort(gone.reason);
    gone.addEventListener("abort", leave, { once: true });
    if (gone.aborted) leave();
    try {
      const credentialValue = await readCredential(db, provider);
      if (credentialValue === undefined) throw meshError("NOT_FOUND", "The provider was removed.");
      const signal = stop.signal;
      const forward = forwardTo(wire, { provider, credentialValue, clock, timeoutMs, signal });
      const result = await handler.proxy(provider, request, forward);
      if (result.streaming && result.bodyStream) {
        isStreaming = true;
        return streamAnswer(provider, reserved, result, result.bodyStream, { stop, gone, token });
      }
      const cost = costOf(result.cost, reserved.amount);
      const balance = await db.write((tx) => balances.settle(tx, reserved, provider, cost));
      return wholeAnswer(result, balance);
    } catch (error) {
      return await failedBy(provider, reserved, error, gone);
    } finally {
      if (!isStreaming) {
        balances.release(reserved);
        stop.abort(OVER);
      }
      gone.removeEventListener("abort", leave);
    }
  }

  /** Who leaves in the middle of a call pays what was set aside: the provider may have done its work. */
  async function failedBy(provider: Provider, reserved: Reserve, error: unknown, gone: AbortSignal) {
    await db.write(async (tx) => {
      if (gone.aborted && hasCode(error, "ABORTED")) {
        await balances.settle(tx, reserved, provider, reserved.amount);
      } else await countCall(tx, provider, "failures");
    });
    return { reason: shownReason(error) };
  }

  function streamAnswer(
    provider: Provider,
    reserved: Reserve,
    result: ProxyResult,
    source: AsyncIterable<Uint8Array>,
    { stop, gone, token }: { stop: AbortController; gone: AbortSignal; token: AccessToken },
  ): Answer {
    async function ended(whole: boolean): Promise<void> {
      try {
        const cost = costOf(result.finalCost?.(whole) ?? result.cost, reserved.amount);
        await db.write(async (tx) => {
          await balances.settle(tx, reserved, provider, cost);
          if (!whole && !gone.aborted) await countCall(tx, provider, "failures");
        });
      } catch (error) {
        report("pool.unsettled", { call: reserved.callId, reason: reasonOf(error) });
      } finally {
        balances.release(reserved);
        underWay--;
        countOf(token.consumer, -1);
      }
    }
    // Until it has ended, which is after its answer began.
    underWay++;
    countOf(token.consumer, 1);
    const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
    return { status: result.statusCode, headers, body: watched(clock, source, { stop, gone, ended }) };
  }

  return {
    async call(body, gone) {
      if (underWay >= CALLS_MAX) return failure(429, TOO_MANY);
      underWay++;
      try {
        return await call(body, gone);
      } finally {
        underWay--;
      }
    },
  };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

const FIELD_MAX = 200;

/** The consumer's request, or why it is refused. */
function readRequest(body: Body): ProxyRequest | string {
  const { method: verb = "GET", body: text = "" } = body;
  const method = typeof verb === "string" ? verb.toUpperCase() : "";
  if (!METHODS.includes(method)) return `Invalid method: use one of ${METHODS.join(", ")}`;
  const path = checkedPath(String(body.path));
  if (path === undefined) {
    return "Invalid path: it must begin with / and hold no dot segments, double slashes, escaped separators or fragments";
  }
  const headers: Headers | undefined = readHeaders(body.headers);
  if (!headers) return "Invalid headers: an object of texts, each on one line";
  if (text !== null && typeof text !== "string") return "Invalid body: it must be text";
  return { method, path, headers, body: text ?? "" };
}

const allows = ({ enabled, allowedPaths }: Provider, path: string): boolean =>
  enabled && allowedPaths.some((allowed) => isBelow(path, allowed));

function cheapestFirst(one: Provider, other: Provider): number {
  if (one.pricePerCall !== other.pricePerCall) return one.pricePerCall < other.pricePerCall ? -1 : 1;
  return one.failures - other.failures;
}

const costOf = (cost: Cost | undefined, otherwise: Amount): Amount => parseAmount(cost) ?? otherwise;

function wholeAnswer({ statusCode, headers, body }: ProxyResult, balance: Amount): Answer {
  const answer: JsonObject = {
    success: true,
    status_code: statusCode,
    headers: { ...headers },
    body_b64: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64"),
    balance_remaining: amountNumber(balance),
  };
  return json(200, answer);
}

/** Our own words for what went wrong on the way; a handler's may hold anything. */
function shownReason(error: unknown): string {
  const isOurs = [
    "UNREACHABLE",
    "TIMEOUT",
    "CONNECTION_LOST",
    "ANSWER_TOO_LARGE",
    "ADDRESS_REFUSED",
    "ABORTED",
  ].some((code) => hasCode(error, code));
  return isOurs ? reasonOf(error).slice(0, FIELD_MAX) : "it could not be called";
}
