/** Time, as everything in DarkMatter sees it. The system's in production, a virtual one in tests and `sim/`. */
export interface Clock {
  /** Wall clock in milliseconds since the Unix epoch. May jump; use `monotonic` to measure. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes backwards. */
  monotonic(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Runs `body` each `periodMs` until disposed; never two runs at once. A run that throws goes to `onError`. */
  every(periodMs: number, body: () => void | Promise<void>, onError: (error: unknown) => void): Disposable;
  /** A signal that aborts with a `TimeoutError` after `durationMs`. It keeps no process alive. */
  deadline(durationMs: number): AbortSignal;
  /** Resolves after the present turn of the event loop: whatever was ready has run. */
  turn(): Promise<void>;
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
