import { reasonOf } from "@darkmatter/core";
import type { Report } from "../ports.ts";

/** Announcing that what agents see may have changed. */
export interface Changes {
  /** Something was done. Costs nothing, so that every message may call it. */
  touch(): void;
  /** Whether something was done since the last call. */
  take(): boolean;
  /** Tells the listeners. */
  announce(): void;
  listen(listener: () => void): Disposable;
}

export function createChanges(report: Report): Changes {
  const listeners = new Set<() => void>();
  let touched = false;

  return {
    touch() {
      touched = true;
    },

    take() {
      const was = touched;
      touched = false;
      return was;
    },

    announce() {
      for (const listener of listeners) {
        try {
          listener();
        } catch (error) {
          // One session that cannot be told must not keep the news from the others.
          report("status.untold", { reason: reasonOf(error) });
        }
      }
    },

    listen(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
