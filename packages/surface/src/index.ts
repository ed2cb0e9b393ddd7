export { type CommandLine, runCommandLine } from "./adapters/commander.ts";
export {
  type AdmitLarge,
  type HttpServer,
  type HttpServerOptions,
  type LargeBody,
  serveHttp,
} from "./adapters/http-server.ts";
export * from "./command.ts";
export * from "./guards.ts";
export * from "./handler.ts";
export * from "./job.ts";
export * from "./limits.ts";
export { type McpRoutes, type McpRoutesOptions, mcpRoutes } from "./mcp/http.ts";
export { CALL_ID_META_KEY, type McpIdentity } from "./mcp/identity.ts";
export type { McpOnError, McpReport } from "./mcp/reports.ts";
export { type McpStream, type McpStreamOptions, type StreamPair, serveMcpStream } from "./mcp/stream.ts";
export type { SessionState } from "./mcp/tool-session.ts";
export * from "./route.ts";
export * from "./tool.ts";
