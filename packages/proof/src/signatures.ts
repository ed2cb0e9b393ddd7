/**
 * Checks an Ed25519 signature over the UTF-8 bytes of `text`; hex key (64 characters) and hex signature (128).
 * `false` for inadmissible keys and anything malformed; never rejects. `identity`'s Verifier.verify is one; in a
 * browser Web Crypto is.
 */
export type VerifySignature = (publicKeyHex: string, text: string, signatureHex: string) => Promise<boolean>;
