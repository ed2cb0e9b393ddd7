import { type Clock, MINUTE_MS } from "@darkmatter/core";

export const UNLIMITED = -1;

/** Keys watched at once. At the bound the keys longest silent are forgotten first. */
export const WATCHED_KEYS_MAX = 10_000;

export interface WindowLimiter {
  /**
   * Counts one act of `key` and answers `true`, or `false` when `limit` acts lie within the window: that one is not
   * counted. `UNLIMITED` always passes.
   */
  take(key: string, limit: number): boolean;
  /** Takes back the newest act counted for `key`. */
  giveBack(key: string): void;
  /** Whether `take` would answer `true` now; counts nothing. */
  hasRoom(key: string, limit: number): boolean;
}

export interface WindowLimiterOptions {
  readonly clock: Clock;
  readonly windowMs?: number;
  readonly keysMax?: number;
}

/** A sliding window: exact, in O(1) amortised, holding at most `limit` times a key. */
export function createWindowLimiter(options: WindowLimiterOptions): WindowLimiter {
  const { clock, windowMs = MINUTE_MS, keysMax = WATCHED_KEYS_MAX } = options;
  // A Map keeps insertion order: deleting and setting again moves a key to the end, so the first is the idlest.
  const acts = new Map<string, Times>();

  function forgetIdle(now: number): void {
    for (const [key, times] of acts) {
      if (acts.size < keysMax && times.newest() > now - windowMs) return;
      acts.delete(key);
    }
  }

  return {
    giveBack(key) {
      acts.get(key)?.dropNewest();
    },

    hasRoom(key, limit) {
      if (limit === UNLIMITED) return true;
      const times = acts.get(key);
      times?.dropUntil(clock.monotonic() - windowMs);
      return (times?.count() ?? 0) < limit;
    },

    take(key, limit) {
      if (limit === UNLIMITED) return true;
      const now = clock.monotonic();
      let times = acts.get(key);
      if (times) {
        times.dropUntil(now - windowMs);
        if (times.count() >= limit) return false;
        acts.delete(key);
      } else {
        if (limit <= 0) return false;
        forgetIdle(now);
        times = new Times();
      }
      times.add(now);
      acts.set(key, times);
      return true;
    },
  };
}

/** A queue of rising times. Taken ones are cut off in one go when they are half of it. */
class Times {
  #times: number[] = [];
  #start = 0;

  count(): number {
    return this.#times.length - this.#start;
  }

  newest(): number {
    return this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  dropNewest(): void {
    if (this.count() > 0) this.#times.pop();
  }

  add(time: number): void {
    this.#times.push(time);
  }

  dropUntil(time: number): void {
    while (this.#start < this.#times.length && (this.#times[this.#start] as number) <= time) this.#start++;
    if (this.#start > 16 && this.#start * 2 > this.#times.length) {
      this.#times = this.#times.slice(this.#start);
      this.#start = 0;
    }
  }
}
