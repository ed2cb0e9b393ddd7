export { type CommandLine, runCommandLine } from "./adapters/commander.ts";
export {
  type HttpServer,
  type HttpServerOptions,
  serveHttp,
} from "./adapters/http-server.ts";
export * from "./command.ts";
export * from "./guards.ts";
export * from "./handler.ts";
export * from "./job.ts";
export * from "./limits.ts";
export * from "./route.ts";
export * from "./tool.ts";
