import { isJsonObject, type Json } from "@darkmatter/core";
import type { HandlerResponse } from "@darkmatter/net";
import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import type { RouteRequest } from "../route.ts";
import type { ToolTable } from "../tool.ts";
import { announceChanges } from "./announcements.ts";
import { handlerResponse, rpcRefusal, webRequest } from "./exchange.ts";
import type { Exchange, McpRoutesOptions } from "./http.ts";
import { createHttpSessions } from "./http-sessions.ts";
import { createMcpServer } from "./server.ts";
import { createToolSession } from "./tool-session.ts";

/** All callers of the era without sessions are one to us: what one has made visible, all see. */
export const STATELESS_SESSION = "http";

export function createExchange(table: ToolTable, options: McpRoutesOptions): Exchange {
  const { identity, onError } = options;
  const sessions = createHttpSessions(table, options);
  const report = (error: unknown, tool?: string) => onError({ session: STATELESS_SESSION, tool, error });
  const stateless = createToolSession(table, {
    id: STATELESS_SESSION,
    onReveal: () => announcements.compare(),
    onError: ({ tool, error }) => report(error, tool),
  });
  // What it refuses is the caller's mistake, answered as such; nothing of it belongs in our log.
  const modern = createMcpHandler(() => createMcpServer(table, stateless, identity), { legacy: "reject" });
  const announcements = announceChanges(table, stateless, () => modern.notify.toolsChanged(), report);

  async function serve(request: RouteRequest, message: Json | undefined): Promise<HandlerResponse> {
    const { signal } = request;
    const web = webRequest(request);
    if (!(await isLegacyRequest(web, message))) {
      return handlerResponse(await modern.fetch(web, { parsedBody: message }), signal, () => undefined);
    }
    const id = request.headers["mcp-session-id"];
    if (id === undefined && !isInitialize(message)) {
      return rpcRefusal(400, -32000, "Bad Request: no Mcp-Session-Id; send initialize first");
    }
    const session = id === undefined ? await sessions.begin() : sessions.find(id);
    if (!session) return rpcRefusal(404, -32001, "Session not found");
    session.open++;
    const response = await session.transport.handleRequest(web, { parsedBody: message });
    // A session whose first message was refused has never begun.
    if (id === undefined && response.status >= 400) await session.close();
    return handlerResponse(response, signal, () => session.open--);
  }

  return {
    serve,
    async close() {
      announcements[Symbol.dispose]();
      await Promise.all([sessions.close(), modern.close()]);
    },
  };
}

function isInitialize(message: Json | undefined): boolean {
  const first = Array.isArray(message) && message.length === 1 ? message[0] : message;
  return isJsonObject(first) && isInitializeRequest(first);
}
