import { errorsOf } from "@darkmatter/core";

/** Why a log signs nothing about itself. */
export const checkpointError = errorsOf({
  LOG_KEY_BROKEN: {
    status: 500,
    retryable: false,
    message: "The passport's own signature does not hold, so no checkpoint can be signed.",
    hint: "Nothing was changed. Restore the passport from its backup.",
  },
  LOG_REWRITTEN: {
    status: 500,
    retryable: false,
    message: "The ledger is not the one that was signed before: to sign it too would be a split history.",
    hint: "Run `darkmatter fsck`; put the whole state back from a backup that is not older than the last checkpoint.",
  },
});
