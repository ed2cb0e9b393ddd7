import { basename, dirname, resolve } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { askChoice, askText, isAsking } from "../../adapters/ask.ts";
import { nodeError } from "../../errors.ts";
import { appendedTo, DOT_ENV, readDotEnv, replacedIn } from "../../ledger-client/dot-env.ts";
import { clientError } from "../../ledger-client/errors.ts";
import {
  hasApiKey,
  maskedKey,
  type ServerSettings,
  type SettingSources,
  serverHost,
  serverSettings,
} from "../../ledger-client/settings.ts";
import { brief, textOption } from "../context.ts";
import { requireFolder } from "../output-folder.ts";
import { type AtServer, settingSources, withServer } from "./at-server.ts";
import { ignoredFrom, writeIgnored } from "./git-ignore.ts";

/** Where `darkmatter serve ledger` listens unless told otherwise. */
const LOCAL_SERVER = "http://127.0.0.1:5002";
const AGENT_NAME = /^[A-Za-z0-9 _.-]{1,100}$/;
const OURS = ["DARKMATTER_API_KEY", "DARKMATTER_AGENT_ID"] as const;

type Placing = "append" | "replace";

/** Makes an account with one agent, or one more agent of an account, and keeps its key in `.env`. */
export async function init(input: CommandInput): Promise<ExitCode> {
  const sources = await settingSources(input);
  const account = await accountMeant(input, sources);
  const { host } = account;
  const placing = await placingIn(input, sources.dotEnv);
  const email = account.apiKey === undefined ? await emailOf(input) : undefined;
  const agentName = await agentNameOf(input);
  const env = resolve(".env");
  await requireWritable(env);
  const ignored = await ignoredFrom(dirname(env), DOT_ENV);
  const made = await withServer(input, account, ({ client }) =>
    email === undefined
      ? client.registerAgent({ agentName })
      : client.provision({ email, agentName, source: "cli" }),
  );
  const settings = {
    DARKMATTER_API_KEY: oneLine(made.apiKey),
    DARKMATTER_AGENT_ID: oneLine(made.agentId),
    DARKMATTER_HOST: host,
  };
  // Once there is a key, and before it is in a file: no moment in which git would take it.
  await writeIgnored(ignored);
  const write = placing === "replace" ? replacedIn : appendedTo;
  await nodeFiles.replace(env, write(sources.dotEnv, settings));

  const tested = input.options.test === false ? undefined : await tryOut(input, host, made.apiKey);
  tell(input, { ...made, host }, env, ignored === undefined ? [] : [ignored.path], tested);
  return tested === undefined || tested.error === undefined ? EXIT_OK : EXIT_FAILURE;
}

/**
 * Whose the agent is to be: with a key, the account of the agent in the folder of `--beside`; without one, a new account.
 * @throws UNREADABLE_FILE, KEY_UNSET, SERVER_UNSET, HOST_INSECURE, KEY_OF_ANOTHER
 */
async function accountMeant(input: CommandInput, sources: SettingSources): Promise<ServerSettings> {
  const folder = textOption(input.options.beside);
  if (folder === undefined) {
    const host = serverHost({ ...sources, fallback: LOCAL_SERVER });
    return { host, apiKey: undefined, agentId: undefined };
  }
  if (input.options.email !== undefined)
    throw nodeError(
      "USAGE",
      "--email makes an account, --beside an agent of one that is there: say one of them.",
    );
  const file = basename(folder) === ".env" ? resolve(folder) : resolve(folder, ".env");
  await requireFolder(file);
  const dotEnv = (await nodeFiles.read(file)) ?? "";
  if (!hasApiKey(dotEnv, {})) throw clientError("KEY_UNSET", `There is no API key in ${file}.`);
  // Only the key that was named: the environment may say which server it is for, and nothing else.
  return serverSettings({ ...sources, dotEnv, env: { DARKMATTER_HOST: sources.env.DARKMATTER_HOST } });
}

/** @throws ENV_HAS_KEYS where nobody can be asked, CANCELLED, USAGE */
async function placingIn(input: CommandInput, dotEnv: string): Promise<Placing> {
  const said = textOption(input.options.env);
  if (said !== undefined && said !== "append" && said !== "replace") {
    throw nodeError("USAGE", "--env takes append or replace.");
  }
  if (said !== undefined) return said;
  const there = readDotEnv(dotEnv);
  if (!OURS.some((name) => there.has(name))) return there.has("DARKMATTER_HOST") ? "replace" : "append";
  if (!isAsking()) throw clientError("ENV_HAS_KEYS");
  const choice = await askChoice("There are DarkMatter keys in .env already.", [
    { value: "append", label: "append: the new ones go after them, and count" },
    { value: "replace", label: "replace: the old ones are lost here" },
    { value: "cancel", label: "cancel" },
  ]);
  if (choice === "cancel") throw clientError("CANCELLED");
  return choice;
}

async function emailOf({ options }: CommandInput): Promise<string> {
  const problemOf = (value: string) =>
    /^[^\s@]+@[^\s@]+$/.test(value.trim()) ? undefined : "An email address, such as you@example.org";
  const said = textOption(options.email);
  if (said === undefined && !isAsking()) throw nodeError("USAGE", "Say --email you@example.org");
  const email = said ?? (await askText("Your email", "", problemOf));
  if (problemOf(email) !== undefined) throw nodeError("USAGE", "--email takes an email address.");
  return email.trim();
}

async function agentNameOf({ options }: CommandInput): Promise<string> {
  const said = textOption(options.agent);
  const problemOf = (value: string) =>
    AGENT_NAME.test(value) ? undefined : "1 to 100 letters, digits, spaces, and _ . -";
  const folder =
    basename(resolve("."))
      .replace(/[^A-Za-z0-9 _.-]/g, "-")
      .slice(0, 100) || "agent";
  const name = said ?? (isAsking() ? await askText("The agent's name", folder, problemOf) : folder);
  const problem = problemOf(name);
  if (problem !== undefined) throw nodeError("USAGE", `--agent takes a name of ${problem}.`);
  return name;
}

/** Before a key is made that is shown once. @throws FILE_FORBIDDEN, FILE_READ_ONLY, DISK_FULL */
async function requireWritable(path: string): Promise<void> {
  const probe = resolve(dirname(path), `.env.${process.pid}.darkmatter`);
  await nodeFiles.create(probe, "");
  await nodeFiles.remove(probe);
}

/** What stands in a file of settings must not become another setting. @throws SERVER_STRANGE */
function oneLine(value: string): string {
  if (/^[A-Za-z0-9_-]{1,200}$/.test(value)) return value;
  throw clientError("SERVER_STRANGE", "The server's answer holds no key of a ledger server.");
}

interface TryOut {
  readonly commit?: string;
  readonly steps?: number;
  readonly error?: string;
}

/** One commit, its check, its replay. What fails does not undo the key. */
async function tryOut(input: CommandInput, host: string, apiKey: string): Promise<TryOut> {
  try {
    return await withServer(input, { host, apiKey, agentId: undefined }, commitVerifyReplay);
  } catch (error) {
    if (input.signal.aborted || !(error instanceof Error)) throw error;
    return { error: error.message };
  }
}

async function commitVerifyReplay({ client }: AtServer): Promise<TryOut> {
  const payload = { input: "darkmatter init", output: "This agent can commit." };
  const { id } = await client.commit(
    JSON.stringify({ payload, eventType: "checkpoint", agent: { role: "setup" } }),
  );
  const verified = await client.verify(id);
  if (!verified.chain_intact) return { commit: id, error: "The server finds its chain broken." };
  const { totalSteps } = await client.replay(id, { mode: "summary" });
  return { commit: id, steps: totalSteps };
}

function tell(
  input: CommandInput,
  made: {
    readonly agentId: string;
    readonly agentName: string;
    readonly apiKey: string;
    readonly host: string;
  },
  env: string,
  more: readonly string[],
  tested: TryOut | undefined,
): void {
  const key = maskedKey(made.apiKey);
  const lines = [
    `${brief(made.agentName, 100)} is ${made.agentId} at ${made.host}`,
    `  key    ${key}, in ${env} (readable by you alone)`,
    ...more.map((path) => `  git    ${path} keeps .env out`),
    ...(tested === undefined ? [] : [`  test   ${testText(tested)}`]),
    "",
    "Next:",
    "  darkmatter quickstart          a program that commits, verifies and replays",
    "  darkmatter recent --server     what was committed",
  ];
  input.out.result(lines.join("\n"), {
    agent_id: made.agentId,
    agent_name: made.agentName,
    key,
    host: made.host,
    files: [env, ...more],
    ...(tested !== undefined && { test: { ok: tested.error === undefined, ...tested } }),
  });
}

function testText({ commit, steps, error }: TryOut): string {
  if (error !== undefined) return `✗ ${brief(error, 300)}`;
  return `✓ committed ${commit}, verified, replayed (${steps === 1 ? "1 step" : `${steps} steps`})`;
}
