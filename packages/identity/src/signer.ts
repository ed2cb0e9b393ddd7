/** The key of one passport, able to sign. The private part never leaves it. */
export interface Signer {
  /** 64 lower-case hex characters: the agent id. */
  readonly agentId: string;
  /** Ed25519 over the UTF-8 bytes of `text`, lower-case hex (128 characters). */
  sign(text: string): string;
}

/** Checks signatures with cached key objects. */
export interface Verifier {
  /**
   * Whether `signatureHex` (either case) is `publicKeyHex`'s Ed25519 signature over the UTF-8 bytes of `text`.
   * `false` for keys that are not admissible and for anything malformed; never rejects.
   */
  verify(publicKeyHex: string, text: string, signatureHex: string): Promise<boolean>;
}
