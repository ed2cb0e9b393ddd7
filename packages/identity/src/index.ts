export { createSigner, SEED_BYTES } from "./adapters/keys.ts";
export { CACHED_KEYS_MAX, createVerifier, type VerifierOptions } from "./adapters/verifier.ts";
export { identityError } from "./errors.ts";
export { sha256Hex } from "./hash.ts";
export * from "./signed-texts.ts";
export * from "./signer.ts";
