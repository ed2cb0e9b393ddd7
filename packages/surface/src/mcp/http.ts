import { isUtf8 } from "node:buffer";
import { type Clock, isJsonObject, type Json, parseJson, type Random } from "@darkmatter/core";
import type { HandlerResponse } from "@darkmatter/net";
import type { Guard, Route, RouteRequest } from "../route.ts";
import type { FindDelegate, ToolTable } from "../tool.ts";
import { createDelegateExchanges } from "./delegate-exchanges.ts";
import { rpcRefusal } from "./exchange.ts";
import type { McpIdentity } from "./identity.ts";
import type { McpOnError } from "./reports.ts";

export interface McpRoutesOptions {
  /** In front of every request: `localOnly()` above all. */
  readonly guards: readonly Guard[];
  readonly identity: McpIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: McpOnError;
  /** Whoever shows a token is served what it stands for, and nothing without one of these. */
  readonly delegates?: FindDelegate;
  /** Default `/mcp`. */
  readonly path?: string;
}

export interface McpRoutes {
  readonly routes: readonly Route[];
  /** Ends every session and stream. */
  close(): Promise<void>;
}

/** Serves MCP over HTTP, both eras at one path: sessions for the older, none for 2026-07-28. */
export function mcpRoutes(table: ToolTable, options: McpRoutesOptions): McpRoutes {
  const path = options.path ?? "/mcp";
  // Loaded at the first request: the protocol library costs more to import than a node takes to start.
  let loaded: Promise<Exchange> | undefined;
  const delegates = createDelegateExchanges(options);
  const whole = () => {
    loaded ??= import("./http-exchange.ts").then(({ createExchange }) => createExchange(table, options));
    return loaded;
  };
  const handle = async (request: RouteRequest): Promise<HandlerResponse> => {
    const exchange = delegates.isFor(request) ? await delegates.of(request) : await whole();
    if (!exchange) return UNAUTHORIZED;
    const { serve } = exchange;
    if (request.method !== "POST") return serve(request, undefined);
    const message = messageOf(request.body);
    return message === undefined ? rpcRefusal(400, -32700, "Parse error: not JSON") : serve(request, message);
  };
  const route = (method: Route["method"], summary: string): Route => {
    return { method, path, summary, guards: options.guards, body: "raw", handle };
  };
  return {
    routes: [
      route("POST", "MCP: a message of a client"),
      route("GET", "MCP: notices to a client, as an event stream"),
      route("DELETE", "MCP: the end of a session"),
    ],
    close: async () => void (await Promise.all([(await loaded)?.close(), delegates.close()])),
  };
}

/** Why is not said: a token that was right a moment ago looks like one that never was. */
const UNAUTHORIZED = {
  status: 401,
  headers: { "content-type": "application/json", "www-authenticate": "Bearer" },
  body: '{"error":"Not authorized"}',
};

export interface Exchange {
  serve(request: RouteRequest, message: Json | undefined): Promise<HandlerResponse>;
  close(): Promise<void>;
}

function messageOf(body: Uint8Array): Json | undefined {
  if (!isUtf8(body)) return undefined;
  const message = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  return isJsonObject(message) || Array.isArray(message) ? message : undefined;
}
