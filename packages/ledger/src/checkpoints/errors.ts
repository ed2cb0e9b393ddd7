import { errorsOf } from "@darkmatter/core";

/** Why a log signs nothing about itself. */
export const checkpointError = errorsOf({
  LOG_KEY_BROKEN: {
    status: 500,
    retryable: false,
    message: "The passport's own signature does not hold, so no checkpoint can be signed.",
    hint: "Nothing was changed. Restore the passport from its backup.",
  },
  STATE_OLDER: {
    status: 409,
    retryable: false,
    message: "This state is older than what its log has shown to others, so nothing more is signed over it.",
    hint:
      "Put the newer state folder back. If it is lost, what is here still works and can be read, but nobody can " +
      "witness it any more: begin with a new passport for that.",
  },
  LOG_REWRITTEN: {
    status: 500,
    retryable: false,
    message: "The ledger is not the one that was signed before: to sign it too would be a split history.",
    hint: "Run `darkmatter fsck`; put the whole state back from a backup that is not older than the last checkpoint.",
  },
});
