import { hasCode, systemClock, systemRandom } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { checkServerLedger, createPasswordReset, type PasswordReset } from "@darkmatter/ledger/server";
import { isSqliteWhole } from "@darkmatter/store";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { ledgerFile, openLedgerDatabase } from "../adapters/ledger-database.ts";
import { logKeysOf } from "../adapters/log-key-file.ts";
import { homeFolder } from "../adapters/passport-peek.ts";
import { createProgress } from "../adapters/progress.ts";
import { nodeError } from "../errors.ts";
import { databaseUrl, parseLedgerServerSettings } from "../ledger-server-config.ts";
import { plain, textOption } from "./context.ts";
import { fsckReportText } from "./fsck-text.ts";
import { webUrlOf } from "./listening-options.ts";

function whereOf({ options }: CommandInput) {
  const settings = parseLedgerServerSettings(process.env);
  const home = homeFolder({ home: textOption(options.home) }, process.env);
  return {
    settings,
    home,
    url: databaseUrl(textOption(options.database), "--database") ?? settings.database,
  };
}

export async function check(input: CommandInput): Promise<ExitCode> {
  const { settings, home, url } = whereOf(input);
  await using db = await openLedgerDatabase(home, url, "read");
  const { key, former } = logKeysToCheckBy(home, settings);
  using progress = createProgress(!input.json);
  const report = await checkServerLedger(db, {
    keys: { current: key.agentId, former },
    verifier: createVerifier(),
    isFileWhole: url === undefined ? () => isSqliteWhole(ledgerFile(home)) : undefined,
    progress: (done, total) => progress.show(`${done} of ${total} commits`),
    signal: input.signal,
    turn: () => systemClock.turn(),
  });
  progress.clear();
  const text = fsckReportText(report, { held: "payloads hashed", gone: "pruned" });
  const isAnotherKey = report.checkpoints > 0 && report.badCheckpoints === report.checkpoints;
  input.out.result(isAnotherKey ? `${text}\n${anotherKeyText(key.agentId)}` : text, {
    ...report,
    first: report.first && { ...report.first },
    problems: { ...report.problems },
  });
  return report.isSound ? EXIT_OK : EXIT_FAILURE;
}

/** A new key, as a server that starts is told to make one, would not fit the log. @throws LOG_KEY_NEEDED, LOG_KEY_REFUSED */
function logKeysToCheckBy(home: string, settings: ReturnType<typeof whereOf>["settings"]) {
  try {
    return logKeysOf(home, settings);
  } catch (error) {
    if (!hasCode(error, "LOG_KEY_MISSING")) throw error;
    throw nodeError("LOG_KEY_NEEDED", (error as Error).message, error);
  }
}

const anotherKeyText = (publicKey: string) =>
  `Not one checkpoint is by the key it was checked by, ${publicKey}. If the server has another one, check again\n` +
  "with that: --home, DARKMATTER_LOG_KEY_FILE or DARKMATTER_LOG_KEY.";

export async function resetPassword(input: CommandInput): Promise<ExitCode> {
  const { home, url } = whereOf(input);
  const baseUrl = webUrlOf(textOption(input.options.baseUrl), "--base-url") ?? "<address of your server>";
  await using db = await openLedgerDatabase(home, url, "write");
  const ports = { clock: systemClock, random: systemRandom };
  const reset = await db.write((tx) => createPasswordReset(tx, String(input.args.email), ports));
  if (!reset) throw nodeError("EMAIL_UNKNOWN");
  const human = [
    "Hand this to the person, by a way that nobody else reads. It works once, until",
    `${reset.expiresAt}, and ends the account's sessions:`,
    `  curl -X POST '${baseUrl}/auth/reset-password' -H 'content-type: application/json' \\`,
    `    -d '{"token":"${reset.token}","password":"…"}'`,
    ...keysThatGoOn(reset.agents),
  ].join("\n");
  const agents = reset.agents.map(({ id, name }) => ({ id, name }));
  input.out.result(human, { token: reset.token, expires_at: reset.expiresAt, agents });
  return EXIT_OK;
}

/** Somebody else may have made the account with this email, and hold keys that read all of it. */
function keysThatGoOn(agents: PasswordReset["agents"]): string[] {
  if (agents.length === 0) return [];
  return [
    "",
    "The API keys of these agents go on and read all of the account. Ask the person whether they know them, before",
    "anything is kept there; a session ends an agent by DELETE /dashboard/agents/ID:",
    ...agents.map(({ id, name }) => `  ${id} ${plain(name)}`),
  ];
}
