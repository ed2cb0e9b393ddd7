import { DarkMatterError, type ErrorKind, errorsOf } from "@darkmatter/core";

const ANOTHER_LOG =
  "If that is lost for good, leave this home as it is and begin another log, with a key of its own: another --home " +
  "(with PostgreSQL another database, too) and `darkmatter keys generate --log`.";

/** What keeps a ledger server from serving. */
export const logError = errorsOf({
  LOG_KEY_WRONG: {
    status: 500,
    retryable: false,
    message: "The log was signed by another key than the one this server has.",
    hint:
      "Give the server the key that signed this log. After a change of keys name the former one, and until when it " +
      "was valid, among the former log keys (DARKMATTER_LOG_KEYS_FORMER). For another log take another home and database.",
  },
  LOG_OLDER: {
    status: 500,
    retryable: false,
    message: "The log is shorter than what its key has signed: to sign it on would be a second history.",
    hint: `Put the newer database back from a backup. ${ANOTHER_LOG}`,
  },
  LOG_DIFFERS: {
    status: 500,
    retryable: false,
    message: "The log is not the one that its key has signed: to sign it, too, would be a second history.",
    hint: `Put the right database back, or name it with --database. ${ANOTHER_LOG}`,
  },
  LOG_MEMORY_DAMAGED: {
    status: 500,
    retryable: false,
    message: "What the home remembers of its log cannot be read.",
    hint:
      "Put the file back from a backup. Where the database is surely the newest one, and `darkmatter ledger check` " +
      "finds it sound, remove the file: the next start makes it anew.",
  },
});

/** Refusals of the rooms below, whose own words are for a node. */
const IN_A_SERVER: Readonly<Record<string, Pick<ErrorKind, "hint"> & Partial<ErrorKind>>> = {
  LEDGER_DAMAGED: { hint: "Run `darkmatter ledger check`, then put the whole state back from a backup." },
  LOG_REWRITTEN: {
    hint:
      "Run `darkmatter ledger check`; put the whole database back from a backup that is not older than the last " +
      "checkpoint.",
  },
  STATE_OLDER: { hint: `Put the newer database back from a backup. ${ANOTHER_LOG}` },
  LOG_KEY_BROKEN: {
    message: "The log key's own signature does not hold, so no checkpoint can be signed.",
    hint: "Nothing was changed. Put the log's key back from its backup.",
  },
  DATABASE_DAMAGED: { hint: "Nothing was changed. Put a copy from a backup in its place." },
  DATABASE_OLDER: { hint: "Start the ledger server once; it does so." },
  DATABASE_CLOSED: { hint: "The server is stopping; try again once it runs." },
};

/** What to do about a refusal where a server says it. */
export const serverHintOf = (code: string): string | undefined =>
  Object.hasOwn(IN_A_SERVER, code) ? IN_A_SERVER[code]?.hint : undefined;

/** The same refusal in the words of a server. */
export function inServerWords(error: unknown): unknown {
  if (!(error instanceof DarkMatterError) || serverHintOf(error.code) === undefined) return error;
  const { code, status, retryable, message } = error;
  const kind = { status, retryable, message, hint: error.hint, ...IN_A_SERVER[code] };
  return new DarkMatterError(code, kind, { cause: error.cause });
}
