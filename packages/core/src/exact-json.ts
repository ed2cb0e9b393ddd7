/**
 * A JSON number as it was written. A double would lose `1.0`, `1e-7` and 2^53+1, and with them the bytes that were
 * hashed and signed.
 */
export class ExactNumber {
  readonly token: string;

  constructor(token: string) {
    this.token = token;
  }
}

/** A JSON value with every number's token kept. Objects are maps in the order read, so that no key is special. */
export type ExactJson = null | boolean | string | ExactNumber | readonly ExactJson[] | ExactObject;
export type ExactObject = ReadonlyMap<string, ExactJson>;
