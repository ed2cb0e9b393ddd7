import { errorsOf } from "@darkmatter/core";

/** What can go wrong with what is kept. */
export const storeError = errorsOf({
  DATABASE_DAMAGED: {
    status: 500,
    retryable: false,
    message: "The database is damaged.",
    hint: "Nothing was changed. Put a copy from a backup in its place, or move the file away to start with an empty one.",
  },
  DATABASE_NEWER: {
    status: 500,
    retryable: false,
    message: "The database was written by a newer version of the program.",
    hint: "Nothing was changed. Start the newer version.",
  },
  DATABASE_OLDER: {
    status: 503,
    retryable: false,
    message: "The database was written by an older version and not brought up to date yet.",
    hint: "Start the node once; it does so.",
  },
  DATABASE_MISSING: {
    status: 404,
    retryable: false,
    message: "There is no database here.",
    hint: "Start the node once; it makes one.",
  },
  DATABASE_READ_ONLY: {
    status: 500,
    retryable: false,
    message: "The database cannot be written.",
    hint: "Make its folder and file writable for this user, or choose another home with --home.",
  },
  DATABASE_BUSY: {
    status: 503,
    retryable: true,
    message: "The database is busy.",
    hint: "Try again. If it stays so, another program holds the file: end it.",
  },
  DATABASE_UNREACHABLE: {
    status: 503,
    retryable: true,
    message: "The database cannot be reached.",
    hint: "Check that its server runs and that the address is right, then try again.",
  },
  DATABASE_CLOSED: {
    status: 503,
    retryable: false,
    message: "The database is closed.",
    hint: "The node is stopping; try again once it runs.",
  },
  DATABASE_FAILED: {
    status: 500,
    retryable: false,
    message: "The database refused a statement.",
    hint: "The cause says why; this is a fault of the program.",
  },
  CONSTRAINT_BROKEN: {
    status: 409,
    retryable: false,
    message: "The database's rules forbid this row.",
    hint: "Something of the same name exists, or what it refers to does not.",
  },
  COMMIT_UNKNOWN: {
    status: 503,
    retryable: false,
    message: "The connection broke during COMMIT: the act may have happened.",
    hint: "Look before repeating it, or repeat it under the same key.",
  },
  DISK_FULL: {
    status: 507,
    retryable: true,
    message: "The disk is full.",
    hint: "Nothing acknowledged was lost. Free some space and try again.",
  },
  DISK_FAILED: {
    status: 507,
    retryable: true,
    message: "The disk failed.",
    hint: "Nothing acknowledged was lost. Check the disk and try again.",
  },
  FILE_READ_ONLY: {
    status: 500,
    retryable: false,
    message: "The file cannot be written.",
    hint: "Make it and its folder writable for this user, or choose another home with --home.",
  },
  FILE_FORBIDDEN: {
    status: 500,
    retryable: false,
    message: "The file cannot be read.",
    hint: "Let this user read it.",
  },
  FILE_WRONG_KIND: {
    status: 500,
    retryable: false,
    message: "A file stands where a folder is needed, or a folder where a file is.",
    hint: "Move it away.",
  },
  FILE_FAILED: {
    status: 500,
    retryable: false,
    message: "The file system refused.",
    hint: "The cause says why.",
  },
  NESTED_WRITE: {
    status: 500,
    retryable: false,
    message: "A write was opened inside another's body.",
    hint: "Hand the body's tx down instead of the database.",
  },
  FOREIGN_AWAIT: {
    status: 500,
    retryable: false,
    message: "A body awaited something else than its tx, or went past the tx to the database.",
    hint: "Do it before the write, or register it with tx.afterCommit.",
  },
  TRANSACTION_OVER: {
    status: 500,
    retryable: false,
    message: "A tx was used after its body had ended.",
    hint: "Await every statement within the body.",
  },
  TRANSACTION_STATEMENT: {
    status: 500,
    retryable: false,
    message: "A body may not begin, end or reconfigure transactions by itself.",
    hint: "Leave BEGIN, COMMIT, ROLLBACK, SAVEPOINT, PRAGMA, ATTACH and VACUUM to the database.",
  },
  TRANSACTION_ABORTED: {
    status: 500,
    retryable: false,
    message: "A statement failed, its body went on, and the transaction was undone.",
    hint: "Let the error of a statement end the body.",
  },
  MIGRATIONS_WRONG: {
    status: 500,
    retryable: false,
    message: "Two migrations have the same name.",
    hint: "Give each a name of its own.",
  },
  ONCE_KEY_TOO_LONG: {
    status: 400,
    retryable: false,
    message: "The key of a call is too long.",
    hint: "Use a UUID.",
  },
});
