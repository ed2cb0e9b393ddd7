export { createSigner, SEED_BYTES } from "./adapters/keys.ts";
export { CACHED_KEYS_MAX, createVerifier, type VerifierOptions } from "./adapters/verifier.ts";
export { type BackupOptions, backUpPassport, openBackup, PASSPHRASE_CODE_POINTS_MIN } from "./backup.ts";
export { identityError } from "./errors.ts";
export { checkGone, PASSPORT_NOTE, rememberPassport } from "./known-passports.ts";
export * from "./passport.ts";
export * from "./signed-texts.ts";
export * from "./signer.ts";
