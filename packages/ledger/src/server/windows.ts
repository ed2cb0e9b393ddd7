import { type Clock, MINUTE_MS, sha256Hex } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import { type Job, UNLIMITED, WATCHED_KEYS_MAX } from "@darkmatter/surface";
import type { Taken, Windows } from "./ports.ts";
import { countActs, forgetWindows, windowNow } from "./windows.store.ts";

interface Window {
  readonly startMs: number;
  count: number;
}

const FREE: Taken = { isAllowed: true, limit: UNLIMITED, remaining: UNLIMITED, resetMs: 0 };

/** Windows of one process: they begin with the first act after the last one was over. */
export function memoryWindows(clock: Clock): Windows {
  // Apart by their length, so that the first of each is the one that is over first.
  const byLength = new Map<number, Map<string, Window>>();

  function windowOf(key: string, windowMs: number, now: number): Window {
    const windows = byLength.get(windowMs) ?? new Map<string, Window>();
    byLength.set(windowMs, windows);
    const known = windows.get(key);
    if (known && now - known.startMs < windowMs) return known;
    const window = { startMs: now, count: 0 };
    windows.delete(key);
    windows.set(key, window);
    for (const [oldest, { startMs }] of windows) {
      if (windows.size <= WATCHED_KEYS_MAX && now - startMs < windowMs) break;
      windows.delete(oldest);
    }
    return window;
  }

  return {
    async take(key, limit, windowMs, amount = 1) {
      if (limit === UNLIMITED) return FREE;
      const now = clock.monotonic();
      const window = windowOf(key, windowMs, now);
      const isAllowed = window.count + amount <= limit;
      if (isAllowed) window.count = Math.max(0, window.count + amount);
      return takenOf(isAllowed, limit, window.count, window.startMs + windowMs - now);
    },
  };
}

/** Windows that all processes of one database count in. By wall clocks, which the machines keep together. */
export function databaseWindows(db: Database, clock: Clock): Windows {
  return {
    async take(key, limit, windowMs, amount = 1) {
      if (limit === UNLIMITED) return FREE;
      // What is counted under holds addresses and emails: a hash is as good, and as short.
      const name = sha256Hex(key);
      const nowMs = Math.floor(clock.now());
      const counted =
        amount <= limit
          ? await countActs(db, name, { amount, limit, nowMs, endsMs: nowMs + windowMs })
          : undefined;
      const window = counted ?? (await windowNow(db, name));
      return takenOf(
        counted !== undefined,
        limit,
        window?.acts ?? 0,
        (window?.endsMs ?? nowMs + windowMs) - nowMs,
      );
    },
  };
}

function takenOf(isAllowed: boolean, limit: number, count: number, resetMs: number): Taken {
  return { isAllowed, limit, remaining: Math.max(0, limit - count), resetMs: Math.max(0, resetMs) };
}

/** Forgets windows that are over. */
export function windowJobs({ db, clock }: { readonly db: Database; readonly clock: Clock }): Job[] {
  return [
    {
      name: "ledger.windows",
      periodMs: 10 * MINUTE_MS,
      run: () => forgetWindows(db, Math.floor(clock.now())),
    },
  ];
}
