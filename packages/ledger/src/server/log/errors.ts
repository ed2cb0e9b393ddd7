import { errorsOf } from "@darkmatter/core";

/** What keeps a ledger server from serving. */
export const logError = errorsOf({
  LOG_KEY_WRONG: {
    status: 500,
    retryable: false,
    message: "The log was signed by another key than the one this server has.",
    hint:
      "Give the server the key that signed this log. After a change of keys name the former one, and until when it " +
      "was valid, among the former log keys.",
  },
});
