import { meshError } from "../errors.ts";

/** Those who wait for something to happen to a message. */
export interface Waiting {
  /** Resolves when the message is touched next; rejects with the signal's reason. Register, look, then await. */
  next(messageId: string, signal: AbortSignal): Promise<void>;
  wake(messageId: string): void;
}

/** Waits at once, over all messages; beyond it a new wait is refused. */
export const WAITS_MAX = 1000;

export function createWaiting(): Waiting {
  const waits = new Map<string, Set<() => void>>();
  let count = 0;

  return {
    next(messageId, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (count >= WAITS_MAX) return reject(meshError("TOO_MANY", "Too many waits at once."));
        const wake = () => {
          leave();
          resolve();
        };
        const stop = () => {
          leave();
          reject(signal.reason);
        };
        const leave = () => {
          signal.removeEventListener("abort", stop);
          const here = waits.get(messageId);
          if (!here?.delete(wake)) return;
          count--;
          if (here.size === 0) waits.delete(messageId);
        };
        const here = waits.get(messageId) ?? new Set();
        waits.set(messageId, here.add(wake));
        count++;
        signal.addEventListener("abort", stop, { once: true });
      });
    },

    wake(messageId) {
      for (const wake of [...(waits.get(messageId) ?? [])]) wake();
    },
  };
}
