import { resolve } from "node:path";
import { systemClock } from "@darkmatter/core";
import { createUndiciWire } from "@darkmatter/net";
import { nodeFiles } from "@darkmatter/store";
import type { CommandInput, ExitCode } from "@darkmatter/surface";
import { createProgress } from "../../adapters/progress.ts";
import { createLedgerClient, type LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { type ServerSettings, type SettingSources, serverSettings } from "../../ledger-client/settings.ts";
import { textOption } from "../context.ts";

/** A ledger server, and what a command needs to talk about what it does there. */
export interface AtServer {
  readonly client: LedgerClient;
  readonly settings: ServerSettings;
  /** Shows what is going on, on a terminal. */
  readonly progress: (text: string) => void;
}

/** What names the server and the key: the command's options, `.env` of this folder, the environment. */
export async function settingSources({ options }: Pick<CommandInput, "options">): Promise<SettingSources> {
  return {
    host: textOption(options.host),
    isInsecure: options.insecure === true,
    dotEnv: (await nodeFiles.read(resolve(".env"))) ?? "",
    env: process.env,
  };
}

/** Does something at the ledger server that a command means. @throws what `clientError` lists */
export async function atServer(
  input: CommandInput,
  body: (at: AtServer) => Promise<ExitCode>,
): Promise<ExitCode> {
  return withServer(input, serverSettings(await settingSources(input)), body);
}

export async function withServer<T>(
  input: Pick<CommandInput, "json" | "signal">,
  settings: ServerSettings,
  body: (at: AtServer) => Promise<T>,
): Promise<T> {
  await using undo = new AsyncDisposableStack();
  const line = undo.use(createProgress(!input.json));
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const progress = (text: string) => line.show(text);
  const client = createLedgerClient({
    ...settings,
    wire,
    clock: systemClock,
    signal: input.signal,
    progress,
  });
  // Awaited before the line is cleared and the wire closed.
  try {
    return await body({ client, settings, progress });
  } catch (error) {
    if (!input.signal.aborted) throw error;
    throw clientError(client.hasAskedToWrite() ? "STOPPED_WRITING" : "STOPPED", undefined, error);
  }
}
