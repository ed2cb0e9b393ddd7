/** The key of one passport, able to sign and to agree on secrets. The private part never leaves it. */
export interface Signer {
  /** 64 lower-case hex characters: the agent id. */
  readonly agentId: string;
  /** Ed25519 over the UTF-8 bytes of `text`, lower-case hex (128 characters). */
  sign(text: string): string;
  /**
   * The X25519 secret shared with the holder of another agent's key, 32 bytes (mesh.md 3.1); `undefined` for a key that
   * is not admissible. Never used as a key itself.
   */
  agree(publicKeyHex: string): Uint8Array | undefined;
  /** A secret of its own for one purpose: SHA-256 of the seed's 32 bytes and the label's UTF-8 bytes (mesh.md 12). */
  derive(label: string): Uint8Array;
}

/** Checks signatures with cached key objects. */
export interface Verifier {
  /**
   * Whether `signatureHex` (either case) is `publicKeyHex`'s Ed25519 signature over the UTF-8 bytes of `text`.
   * `false` for keys that are not admissible and for anything malformed; never rejects.
   */
  verify(publicKeyHex: string, text: string, signatureHex: string): Promise<boolean>;
}
