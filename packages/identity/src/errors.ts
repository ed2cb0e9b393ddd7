import { errorsOf } from "@darkmatter/core";

export const identityError = errorsOf({
  SEED_INVALID: {
    status: 500,
    retryable: false,
    message: "A private key must be 32 bytes.",
    hint: "Give 64 hex characters.",
  },
  SIGNED_FIELD_REFUSED: {
    status: 400,
    retryable: false,
    message: "A field that is signed holds a line break or is not well-formed text.",
    hint: "Remove the line break: signed fields are joined by line breaks and not escaped.",
  },
  RECIPIENT_REFUSED: {
    status: 400,
    retryable: false,
    message: "Nothing can be sealed for that agent: its id is not a key.",
    hint: "Use the agent's id as its own node shows it.",
  },
  PASSPORT_MISSING: {
    status: 500,
    retryable: false,
    message: "There is no passport.",
    hint: "Check the path given with --passport or DARKMATTER_PASSPORT.",
  },
  PASSPORT_DAMAGED: {
    status: 500,
    retryable: false,
    message: "The passport is damaged: it must hold 64 hex characters and nothing else.",
    hint: "Restore it with `darkmatter passport restore FILE`. It is never replaced: a new key is a new agent.",
  },
  PASSPORT_UNREADABLE: {
    status: 500,
    retryable: false,
    message: "The passport cannot be read.",
    hint: "Give the user that runs DarkMatter the right to read the file.",
  },
  PASSPORT_UNWRITABLE: {
    status: 500,
    retryable: false,
    message: "The passport cannot be written.",
    hint: "Run in a folder you may write to, or name another file with --passport or DARKMATTER_PASSPORT.",
  },
  PASSPORT_GONE: {
    status: 500,
    retryable: false,
    message: "An agent lived here, but its passport is gone.",
    hint: "Put the file back, or restore it with `darkmatter passport restore FILE`.",
  },
  PASSPORT_EXISTS: {
    status: 409,
    retryable: false,
    message: "Another agent's passport is already there.",
    hint: "Move it away first, or name another file with --passport.",
  },
  BACKUP_DAMAGED: {
    status: 400,
    retryable: false,
    message: "The file is no passport backup, or it is damaged.",
    hint: "Use a file written by `darkmatter passport backup`.",
  },
  BACKUP_NOT_OPENED: {
    status: 400,
    retryable: false,
    message: "The passphrase is wrong, or the backup is damaged.",
    hint: "Try again with the passphrase given when the backup was made.",
  },
  PASSPHRASE_TOO_SHORT: {
    status: 400,
    retryable: false,
    message: "The passphrase is too short.",
    hint: "Use at least 8 characters.",
  },
});
