import { type Clock, MINUTE_MS } from "@darkmatter/core";
import { UNLIMITED, WATCHED_KEYS_MAX } from "@darkmatter/surface";
import type { Taken, Windows } from "./ports.ts";

interface Window {
  readonly startMs: number;
  count: number;
}

/** Windows of one process: they begin with the first act after the last one was over. */
export function memoryWindows(clock: Clock): Windows {
  const windows = new Map<string, Window>();
  return {
    async take(key, limit, windowMs = MINUTE_MS, amount = 1): Promise<Taken> {
      if (limit === UNLIMITED) return { isAllowed: true, limit, remaining: limit, resetMs: 0 };
      const now = clock.monotonic();
      let window = windows.get(key);
      if (!window || now - window.startMs >= windowMs) {
        window = { startMs: now, count: 0 };
        // Put in anew, so that the first of all is the one that began longest ago.
        windows.delete(key);
        windows.set(key, window);
        for (const oldest of windows.keys()) {
          if (windows.size <= WATCHED_KEYS_MAX) break;
          windows.delete(oldest);
        }
      }
      const isAllowed = window.count + amount <= limit;
      if (isAllowed) window.count += amount;
      return {
        isAllowed,
        limit,
        remaining: Math.max(0, limit - window.count),
        resetMs: window.startMs + windowMs - now,
      };
    },
  };
}
