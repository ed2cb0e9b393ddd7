import { isUtf8 } from "node:buffer";
import { DarkMatterError, type JsonObject, parseJson } from "@darkmatter/core";
import {
  type Answer,
  type Guard,
  isProxied,
  json,
  type Route,
  type RouteRequest,
  ready,
} from "@darkmatter/surface";
import { urlOf } from "../addresses/public-address.ts";
import type { Services } from "../services.ts";
import type { CallAnswer } from "./calls.ts";
import { A2A_PATH } from "./card.ts";
import { a2aError, rpcError } from "./protocol-errors.ts";
import { parseRpc, type RpcRequest, requireVersion, rpcIdOf } from "./request.ts";
import { restRoutes } from "./rest.ts";
import { eventStream } from "./sse.ts";

export function a2aRoutes(services: Services): Route[] {
  const { a2a, addresses, db, identity } = services;
  const isReady = ready(services.isReady);
  const guards: readonly Guard[] = [isReady, a2a.callers.guard];

  async function rpc(request: RouteRequest): Promise<Answer> {
    const value = isUtf8(request.body) ? parseJson(Buffer.from(request.body).toString("utf8")) : undefined;
    const id = rpcIdOf(value);
    try {
      if (value === undefined) throw a2aError("PARSE_ERROR");
      const { method, params } = parseRpc(value);
      requireVersion(request);
      const token = a2a.callers.of(request);
      return rpcAnswer(id, await a2a.call({ token, method, params, signal: request.signal }));
    } catch (error) {
      const known = error instanceof DarkMatterError ? rpcError(error) : undefined;
      if (!known) throw error;
      return json(200, { jsonrpc: "2.0", id, error: known });
    }
  }

  return [
    {
      method: "GET",
      path: "/.well-known/agent-card.json",
      summary: "This agent's A2A card, signed by its passport.",
      guards: [isReady],
      body: "none",
      async handle(request) {
        const card = a2a.card(addresses.base(callerUrl(request)), await identity.profile(db));
        const answer = json(200, card);
        return { ...answer, headers: { ...answer.headers, "cache-control": "max-age=60" } };
      },
    },
    {
      method: "POST",
      path: A2A_PATH,
      summary: "A2A 1.0 by JSON-RPC, for whoever shows a token that the owner issued.",
      guards,
      body: "raw",
      handle: rpc,
    },
    ...restRoutes(services, guards),
  ];
}

/**
 * Where a caller is, by its socket; `undefined` behind a proxy. The card is signed, and callers take their tokens where
 * it says: no header has a say in it.
 */
function callerUrl(request: RouteRequest): string | undefined {
  return isProxied(request) ? undefined : urlOf(request.remote.address.replace(/^::ffff:/, ""), 0);
}

function rpcAnswer(id: RpcRequest["id"], answer: CallAnswer): Answer {
  const framed = (result: JsonObject): JsonObject => ({ jsonrpc: "2.0", id, result });
  return "stream" in answer ? eventStream(answer.stream, framed) : json(200, framed(answer.value));
}
