import { type Clock, SECOND_MS } from "@darkmatter/core";
import type { Background } from "../background.ts";

/** Announcing that what agents see may have changed. */
export interface Changes {
  /** Something was done. Cheap enough for every message: listeners hear of many at once. */
  touch(): void;
  /** Tells the listeners now. */
  announce(): void;
  listen(listener: () => void): Disposable;
}

/** Listeners hear at most this often, however busy the node is. */
const ANNOUNCE_AFTER_MS = SECOND_MS;

export function createChanges(clock: Clock, background: Background): Changes {
  const listeners = new Set<() => void>();
  let pending = false;

  const announce = () => {
    for (const listener of listeners) listener();
  };

  return {
    announce,

    touch() {
      if (pending || listeners.size === 0) return;
      pending = true;
      background.start("changes.announce", async () => {
        await clock.sleep(ANNOUNCE_AFTER_MS);
        pending = false;
        announce();
      });
    },

    listen(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
