/** What a code means to the outside: its HTTP status, whether trying again may help, and what to do. */
export interface ErrorKind {
  readonly status: number;
  readonly retryable: boolean;
  readonly message: string;
  readonly hint: string;
}

/**
 * The one error class. Each package defines a closed table of codes and makes its errors from it with `errorsOf`.
 * The message says what happened, the hint what to do; neither ever holds a secret or a peer's text.
 */
export class DarkMatterError extends Error {
  override readonly name = "DarkMatterError";
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly hint: string;

  constructor(code: string, kind: ErrorKind, options?: { detail?: string | undefined; cause?: unknown }) {
    super(
      options?.detail ?? kind.message,
      options?.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = kind.status;
    this.retryable = kind.retryable;
    this.hint = kind.hint;
  }
}

/** Makes a package's error factory from its closed table of codes. `detail` replaces the general sentence. */
export function errorsOf<Code extends string>(kinds: Readonly<Record<Code, ErrorKind>>) {
  return (code: Code, detail?: string, cause?: unknown): DarkMatterError =>
    new DarkMatterError(code, kinds[code], { detail, cause });
}

export function hasCode<Code extends string>(error: unknown, code: Code): error is DarkMatterError {
  return error instanceof DarkMatterError && error.code === code;
}

/** A sentence for a log or a result, whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
