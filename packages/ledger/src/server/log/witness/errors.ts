import { errorsOf } from "@darkmatter/core";

/** What keeps a witness from signing. Its codes are part of the API. */
export const witnessError = errorsOf({
  WITNESS_FILE_DAMAGED: {
    status: 500,
    retryable: false,
    message: "The file of what this witness signed is damaged: it could sign a second history.",
    hint: "Put the whole file back from a backup. If it is lost, begin with a new witness key and a new file.",
  },
  WITNESS_FILE_TAKEN: {
    status: 500,
    retryable: false,
    message: "Another process writes to the file of what this witness signed.",
    hint: "Stop the other witness, then start this one again.",
  },
  WITNESS_OF_ITSELF: {
    status: 400,
    retryable: false,
    message: "A log's own key cannot witness it.",
    hint: "Give the witness a key of its own.",
  },
  invalid_request: {
    status: 400,
    retryable: false,
    message: "The body holds no signed checkpoint, or a member that is not of its form.",
    hint: "Send `checkpoint` with its nine members, `server_sig` and `position`, and `consistency` where it is asked for.",
  },
  wrong_log: {
    status: 403,
    retryable: false,
    message: "This witness signs for another log.",
    hint: "It is pinned to one log's key.",
  },
  signature_invalid: {
    status: 403,
    retryable: false,
    message: "The checkpoint is not signed by the log this witness signs for.",
    hint: "Sign the checkpoint's canonical text with the log's key.",
  },
  not_newer: {
    status: 409,
    retryable: false,
    message: "This witness has signed this position, or a later one, already.",
    hint: "`last_size` is the tree it signed last.",
  },
  consistency_needed: {
    status: 409,
    retryable: false,
    message: "Prove that the log only grew since the tree that was signed last.",
    hint: "Send `consistency` with `first_size` equal to `last_size`.",
  },
  inconsistent: {
    status: 409,
    retryable: false,
    message: "The checkpoint does not follow from the one that was signed last.",
    hint: "`previous` is what was signed last.",
  },
  rate_limited: {
    status: 429,
    retryable: true,
    message: "Too many requests.",
    hint: "Wait a minute.",
  },
});
