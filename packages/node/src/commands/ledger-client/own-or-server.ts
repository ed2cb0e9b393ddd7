import { hasCode, reasonOf } from "@darkmatter/core";
import type { CommandInput, CommandOption, ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import { isListNumber } from "../commit-naming.ts";
import { textOption } from "../context.ts";

/** Which server, for commands that ask one alone. */
export const serverOptions = (fallback = ""): readonly CommandOption[] => [
  {
    flags: "--host <url>",
    summary: `the ledger server (default: DARKMATTER_HOST in .env, then in the environment${fallback})`,
  },
  { flags: "--insecure", summary: "send the API key over plain HTTP to other machines, too" },
];
export const SERVER_OPTIONS = serverOptions();

/** The same for commands that read this agent's own ledger first. */
export const OWN_OR_SERVER_OPTIONS: readonly CommandOption[] = [
  { flags: "--server", summary: "ask the ledger server, not this agent's own ledger" },
  { flags: "--host <url>", summary: "the same, at this ledger server" },
  { flags: "--insecure", summary: "send the API key over plain HTTP to other machines, too" },
];

/** A commit's id, as servers make them: nothing else that was typed is told to a server. */
const COMMIT_ID = /^ctx_[0-9]+_[0-9a-f]{8,12}$/;

/** The ways to answer a command. */
export interface OwnOrServer {
  readonly own: () => Promise<ExitCode>;
  /** Loads what talks to servers; only then. */
  readonly server: () => Promise<ExitCode>;
}

/**
 * This agent's own ledger answers first. The server is asked with `--server` or `--host`; and, where an API key is set,
 * about a commit's id that the own ledger does not have, or about anything where there is no own ledger yet.
 * Numbers mean the list of whoever answers.
 *
 * @throws COMMIT_UNKNOWN and NO_LEDGER_ANYWHERE, which name both places
 */
export async function ownOrServer(
  input: CommandInput,
  named: string | undefined,
  { own, server }: OwnOrServer,
): Promise<ExitCode> {
  if (input.options.server === true || textOption(input.options.host) !== undefined) return server();
  try {
    return await own();
  } catch (error) {
    const isNowhere = hasCode(error, "NO_NODE") || hasCode(error, "NO_LEDGER");
    const isId = named !== undefined && COMMIT_ID.test(named);
    const isNumber = named === undefined || isListNumber(named);
    const isAskable = isNowhere || (hasCode(error, "COMMIT_UNKNOWN") && isId);
    if (!isAskable) throw error;
    if (!(await isKeySet()))
      throw isNowhere ? nodeError("NO_LEDGER_ANYWHERE", undefined, error) : keyless(error);
    if (isId || isNumber) return asked(server, error, named);
    throw nodeError(
      "COMMIT_UNKNOWN",
      `There is no ledger here, and "${named}" is no id of a commit on a server.`,
    );
  }
}

/** Reads `.env`, which only those need who get here. */
async function isKeySet(): Promise<boolean> {
  const [{ settingSources }, { hasApiKey }] = await Promise.all([
    import("./at-server.ts"),
    import("../../ledger-client/settings.ts"),
  ]);
  const { dotEnv, env } = await settingSources({ options: {} });
  return hasApiKey(dotEnv, env);
}

const keyless = (error: unknown): Error =>
  nodeError("COMMIT_UNKNOWN", `${reasonOf(error)} No ledger server was asked: no API key is set.`, error);

async function asked(
  server: () => Promise<ExitCode>,
  own: unknown,
  named: string | undefined,
): Promise<ExitCode> {
  try {
    return await server();
  } catch (error) {
    if (!hasCode(error, "NOT_ON_SERVER") || !hasCode(own, "COMMIT_UNKNOWN")) throw error;
    throw nodeError(
      "COMMIT_UNKNOWN",
      `"${named}" is neither in this agent's ledger nor on the server. ${error.message}`,
    );
  }
}
