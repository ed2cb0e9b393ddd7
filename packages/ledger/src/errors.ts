import { errorsOf } from "@darkmatter/core";

/** What can go wrong with the ledger. */
export const ledgerError = errorsOf({
  LEDGER_DAMAGED: {
    status: 500,
    retryable: false,
    message: "The ledger is damaged: what it holds does not agree with its own hashes.",
    hint: "Nothing more is written to it; it can still be read. Run `darkmatter fsck`, then put the whole state back from a backup.",
  },
  LEDGER_UNCHECKED: {
    status: 503,
    retryable: true,
    message: "The node is still starting: its ledger is being looked at.",
    hint: "Try again in a moment.",
  },
  GRANT_OVER: {
    status: 403,
    retryable: false,
    message: "The time of the helper that does this is over: nothing is written down in its name.",
    hint: "The agent itself can do it.",
  },
  NO_SUCH_COMMIT: {
    status: 404,
    retryable: false,
    message: "There is no such commit here.",
    hint: "Run `darkmatter recent`, then use an id, a hash or a message id from the list.",
  },
  AMBIGUOUS_COMMIT: {
    status: 409,
    retryable: false,
    message: "More than one commit begins like that.",
    hint: "Give more of the id or the hash, or the number in `darkmatter recent`.",
  },
  NO_SUCH_FIELD: {
    status: 404,
    retryable: false,
    message: "The commit has no such field, or it is erased.",
    hint: "Run `darkmatter replay` with its id to see which fields it has.",
  },
  ABOUT_OR_CHECK: {
    status: 400,
    retryable: false,
    message: "Either about or check is needed, not both.",
    hint: "about: what to prove, such as a message id. check: files to check.",
  },
  LOG_SIZE: {
    status: 404,
    retryable: false,
    message: "The log never had that size.",
    hint: "Sizes go from 1 to the number of commits.",
  },
  CHECKPOINT_NEEDED: {
    status: 409,
    retryable: false,
    message: "The commit is newer than the last checkpoint, so nothing signed covers it yet.",
    hint: "Run `darkmatter checkpoint`, then export again.",
  },
  BUNDLE_TOO_LARGE: {
    status: 413,
    retryable: false,
    message: "The conversation is too long for one bundle.",
    hint: "Export it from an earlier commit.",
  },
});
