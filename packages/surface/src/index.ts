export { type CommandLine, runCommandLine } from "./adapters/commander.ts";
export * from "./command.ts";
export * from "./job.ts";
export * from "./route.ts";
export * from "./tool.ts";
