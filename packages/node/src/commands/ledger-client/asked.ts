import type { CommandInput, ExitCode } from "@darkmatter/surface";
import { atServer } from "./at-server.ts";
import { exportAtServer, lineageAtServer, replayAtServer, verifyAtServer } from "./chain.ts";
import { recentAtServer } from "./look.ts";

/** What commands about this agent's own ledger say where the server is asked instead. */
export const recent = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, (at) => recentAtServer(input, at));
export const replay = (input: CommandInput, named: string): Promise<ExitCode> =>
  atServer(input, (at) => replayAtServer(input, at, named));
export const lineage = (input: CommandInput, named: string): Promise<ExitCode> =>
  atServer(input, (at) => lineageAtServer(input, at, named));
export const verify = (input: CommandInput, named: string): Promise<ExitCode> =>
  atServer(input, (at) => verifyAtServer(input, at, named));
export const exported = (input: CommandInput, named: string): Promise<ExitCode> =>
  atServer(input, (at) => exportAtServer(input, at, named));
