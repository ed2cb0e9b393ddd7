import { DarkMatterError, type ErrorKind, errorsOf } from "@darkmatter/core";
import { plain } from "./plain.ts";
import type { Trouble } from "./trouble.ts";

const kind = (message: string, hint: string): ErrorKind => ({ status: 500, retryable: false, message, hint });

const KINDS = {
  CONFIG_INVALID: kind("A setting has a value it cannot have.", "Correct it or remove it, then start again."),
  USAGE: kind("The command was called in a way it does not know.", "How it is called: the same with --help."),
  HOME_UNUSABLE: kind(
    "The state folder cannot be made.",
    "Check that it may be yours and that its disk takes writes, or choose another with --home or DARKMATTER_HOME.",
  ),
  PASSPORT_CHANGED: kind("The passport was replaced while the node was starting.", "Start again."),
  PORTS_BUSY: kind(
    "No port is free.",
    "End what uses the ports, or choose another with DARKMATTER_PORT (0: any free one).",
  ),
  NO_NODE: kind("No node has run here yet.", "Start one: darkmatter up"),
  NO_LEDGER_ANYWHERE: kind(
    "No node has run here yet, and no API key of a ledger server is set.",
    "Start a node: darkmatter up. Or use a ledger server: darkmatter init",
  ),
  TOOL_FAILED: kind(
    "The node refused.",
    "Correct what is named and try again; `darkmatter status` says how the node is.",
  ),
  NOT_FOUND: kind(
    "Nothing matches.",
    "List what there is (`darkmatter peers`, `darkmatter inbox`, `darkmatter sent`), then name one of it.",
  ),
  NO_ANSWER: kind(
    "No answer came.",
    "The message stays open. Its answer, when it comes: darkmatter sent MESSAGE",
  ),
  AMBIGUOUS: kind("More than one matches.", "Give more characters of the id."),
  NO_PASSPHRASE: kind(
    "A passphrase is needed.",
    "Type it when asked on a terminal, or give it in DARKMATTER_PASSPHRASE.",
  ),
  NODE_FAILED: kind("A node did not do what it should.", "See its log, and report it."),
  ANCHOR_RUNS: kind(
    "Another process serves this anchor.",
    "Stop that one first, or give this one another state folder with --home.",
  ),
  LEDGER_RUNS: kind(
    "Another process serves this ledger.",
    "Stop that one first, give this one another state folder with --home, or let both use one PostgreSQL database.",
  ),
  PUBLISH_UNUSABLE: kind(
    "Checkpoints cannot be published there.",
    "Name with --publish a folder that this user may write, or leave it out.",
  ),
  LOG_KEY_MISSING: kind(
    "The log has no key.",
    "Make one, and keep a copy where only you can read it: darkmatter keys generate --log. To try things out: --dev",
  ),
  LOG_KEY_LOST: kind(
    "The log's key is gone.",
    "Put it back from a backup: a new one does not fit this log. If it is lost for good, go on with a new one (darkmatter " +
      "keys generate --log -o FILE, DARKMATTER_LOG_KEY_FILE=FILE), what is written above in the file that " +
      "DARKMATTER_LOG_KEYS_FORMER names; or begin another log with another --home.",
  ),
  LOG_KEY_EXISTS: kind(
    "The log has a key already.",
    "Go on with it: darkmatter serve ledger. Another key would be another log; to make one for that, name its file with -o.",
  ),
  LOG_KEY_REFUSED: kind(
    "The log's key cannot be used.",
    "It is an Ed25519 key in PEM (PKCS#8), readable by its owner alone. Put the right one there: another one would be another log.",
  ),
  WITNESS_RUNS: kind(
    "Another process is this witness.",
    "Stop that one first, or give this one another state folder with --home.",
  ),
  LOG_KEY_NEEDED: kind(
    "The log's key is needed to check its signatures.",
    "Name the one the server has: its home with --home, DARKMATTER_LOG_KEY_FILE or DARKMATTER_LOG_KEY.",
  ),
  LOG_KEY_UNCONFIRMED: kind(
    "Nobody confirmed the log's key.",
    "Give it with --log-key FILE, or confirm it on a terminal.",
  ),
  LOG_KEY_DIFFERS: kind(
    "The log's key is not the one this witness is for.",
    "Ask the log's operator which key is right. Where it was changed: --log-key FILE with the new one, and the one before for what it signed.",
  ),
  LOG_UNREACHABLE: kind(
    "The log cannot be asked for its key.",
    "Check --log-url and that its server runs, or give the key with --log-key FILE.",
  ),
  NO_LEDGER_SERVER: kind(
    "There is no ledger server's database here.",
    "Name the server's home with --home, or its database with --database.",
  ),
  EMAIL_UNKNOWN: kind("No account has this email.", "Check how it is written."),
  NODE_RUNS: kind(
    "This agent's node runs, and its state is in use.",
    "Stop it (Ctrl-C, or close its client), then try again.",
  ),
  STATE_FILE_REFUSED: kind(
    "The state file cannot be used.",
    "Nothing was changed. Repair it, or start without it: darkmatter state import --skip",
  ),
  STATE_FILE_KEPT: kind("The file is not this agent's state file.", "Move it away, or name another file."),
  UNREADABLE_FILE: kind("The file cannot be used.", "Check its name and its content."),
  FILE_TOO_LARGE: kind("The file is too large.", "Ask for the export of a shorter conversation."),
  FILE_EXISTS: kind("There is such a file already.", "Name another with -o, or replace it with --force."),
  NO_LEDGER: kind("This node keeps no ledger.", "Run it as it comes: darkmatter up"),
  COMMIT_UNKNOWN: kind(
    "Nothing of that name is in this agent's ledger.",
    "List what there is: darkmatter recent. A number of that list, a commit's id or a message's id will do.",
  ),
  FIELD_UNKNOWN: kind("There is no such field.", "List which there are: darkmatter disclose COMMIT --list"),
  NO_BUNDLE: kind(
    "This installation cannot hand its program out.",
    "Run the node from a clone with everything installed (npm ci), or from a bundle.",
  ),
  NOT_CONFIRMED: kind("Nothing was done.", "Confirm it on a terminal, or say --yes."),
} satisfies Record<string, ErrorKind>;

export type NodeErrorCode = keyof typeof KINDS;

const fromTable = errorsOf<NodeErrorCode>(KINDS);

/** What a tool refused, in its own words: another agent's may be among them, and they go to a terminal. */
export function toolError(message: string, hint: unknown): DarkMatterError {
  const said = typeof hint === "string" && hint !== "" ? hint : KINDS.TOOL_FAILED.hint;
  return new DarkMatterError("TOOL_FAILED", kind(plain(message), plain(said)));
}

/** An error of this package: by its code, or from a thin session's trouble. */
export function nodeError(what: NodeErrorCode | Trouble, detail?: string, cause?: unknown): DarkMatterError {
  if (typeof what === "string") return fromTable(what, detail, cause);
  return new DarkMatterError(what.code, kind(what.message, what.hint));
}
