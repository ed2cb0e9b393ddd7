import type { Clock } from "../clock.ts";

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),

  sleep(durationMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const wake = () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const timer = setTimeout(wake, durationMs);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
  },

  every(periodMs, body, onError) {
    let running = false;
    const run = async () => {
      if (running) return;
      running = true;
      try {
        await body();
      } catch (error) {
        onError(error);
      } finally {
        running = false;
      }
    };
    const timer = setInterval(run, periodMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },

  // Whole milliseconds only: what is left of a time measured by `monotonic` rarely is.
  deadline: (durationMs) => AbortSignal.timeout(Math.ceil(Math.max(0, durationMs))),
  // A macrotask, in Node and in browsers alike.
  turn: () => new Promise((resolve) => (globalThis.setImmediate ?? setTimeout)(resolve)),
};
