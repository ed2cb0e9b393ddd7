import { type JsonObject, reasonOf } from "@darkmatter/core";
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { ToolTable } from "../tool.ts";
import { CALL_ID_META_KEY, type McpIdentity } from "./identity.ts";
import type { ToolSession } from "./tool-session.ts";

const CALL_ID_CHARACTERS_MAX = 128;

/** A protocol server for one session, of either era: what surrounds it decides which. */
export function createMcpServer(
  table: ToolTable,
  session: ToolSession,
  identity: McpIdentity,
  experimental?: Readonly<Record<string, JsonObject>>,
): Server {
  const hasResources = table.resources.length > 0;
  const server = new Server(identity, {
    capabilities: {
      tools: { listChanged: true },
      ...(hasResources && { resources: {} }),
      ...(experimental && { experimental }),
    },
    instructions: table.instructions,
  });
  server.setRequestHandler("tools/list", () => ({ tools: session.list() }));
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const result = await session.call(params.name, params.arguments, callOf(context));
    if (!result)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name.slice(0, 80)}`);
    return { ...result, content: [...result.content] as never };
  });
  if (hasResources) serveResources(server, table);
  return server;
}

function callOf({ mcpReq, http }: ServerContext) {
  // Streams are not taken up again: once this one is closed nobody reads the result, which the library does not say.
  const left = http?.req?.signal;
  const signal = left ? AbortSignal.any([mcpReq.signal, left]) : mcpReq.signal;
  const { progressToken, [CALL_ID_META_KEY]: callId } = mcpReq._meta ?? {};
  return {
    callId: typeof callId === "string" && callId.length <= CALL_ID_CHARACTERS_MAX ? callId : undefined,
    signal,
    async progress(progress: number, total: number | undefined, message: string): Promise<void> {
      if (progressToken === undefined || signal.aborted) return;
      const params = { progressToken, progress, message, ...(total !== undefined && { total }) };
      // A client that left hears nothing more; its call ends by the signal.
      await mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
    },
  };
}

function serveResources(server: Server, table: ToolTable): void {
  server.setRequestHandler("resources/list", () => ({
    resources: table.resources.map(({ uri, name, description, mimeType }) => ({
      uri,
      name,
      description,
      mimeType,
    })),
  }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [] }));
  server.setRequestHandler("resources/read", async ({ params }) => {
    const resource = table.resources.find(({ uri }) => uri === params.uri);
    if (!resource) throw new ResourceNotFoundError(params.uri);
    try {
      return { contents: [{ uri: resource.uri, mimeType: resource.mimeType, text: await resource.read() }] };
    } catch (error) {
      throw new ProtocolError(
        ProtocolErrorCode.InternalError,
        `${resource.name} cannot be read: ${reasonOf(error)}`,
      );
    }
  });
}
