import { systemClock } from "../adapters/system-clock.ts";
import type { Clock } from "../clock.ts";

export interface VirtualClock extends Clock {
  /** Moves time on: what falls due runs in time order, and promises settle after each instant. */
  advance(durationMs: number): Promise<void>;
  /** Lets everything that waits for no time run as far as it can. */
  settle(): Promise<void>;
  /** The same time seen by a machine whose wall clock is wrong by so much. */
  skewed(skewMs: number): Clock;
}

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

/** Turns of the event loop granted to promises that settle through I/O-free macrotasks, where nobody tells of them. */
const SETTLE_TURNS = 3;
/** A loop that calls `turn` for ever must not hang its test. */
const SETTLE_TURNS_MAX = 1000;

/**
 * Time that stands still until it is told to pass. `isBusy`: whether work that waits for no time is left, which turns of
 * the event loop bring on; then nothing is guessed, and an instant without such work costs no turn.
 */
export function virtualClock({
  startMs = 0,
  skewMs = 0,
  isBusy,
}: {
  startMs?: number;
  skewMs?: number;
  isBusy?: () => boolean;
} = {}): VirtualClock {
  const queue: Due[] = [];
  let elapsedMs = 0;
  let turnsAwaited = 0;

  function schedule(durationMs: number, run: () => void): () => void {
    const due = { atMs: elapsedMs + Math.max(0, durationMs), run };
    // After its equals: what was asked for first runs first.
    let [from, to] = [0, queue.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((queue[middle] as Due).atMs > due.atMs) to = middle;
      else from = middle + 1;
    }
    queue.splice(from, 0, due);
    return () => {
      const at = queue.indexOf(due);
      if (at >= 0) queue.splice(at, 1);
    };
  }

  async function turn(): Promise<void> {
    turnsAwaited++;
    await systemClock.turn();
    turnsAwaited--;
  }

  async function settle(): Promise<void> {
    const guessedTurns = isBusy ? 0 : SETTLE_TURNS;
    const isLeft = () => turnsAwaited > 0 || isBusy?.() === true;
    await promisesSettled();
    for (let turns = 0; turns < guessedTurns || (isLeft() && turns < SETTLE_TURNS_MAX); turns++) {
      await systemClock.turn();
      await promisesSettled();
    }
  }

  async function advance(durationMs: number): Promise<void> {
    const untilMs = elapsedMs + durationMs;
    await settle();
    for (let next = queue[0]; next && next.atMs <= untilMs; next = queue[0]) {
      elapsedMs = next.atMs;
      queue.shift();
      next.run();
      await settle();
    }
    elapsedMs = untilMs;
  }

  const clockWith = (wallSkewMs: number): Clock => ({
    now: () => startMs + elapsedMs + wallSkewMs,
    monotonic: () => elapsedMs,
    sleep: sleeper(schedule),
    every: repeater(schedule),
    deadline(durationMs) {
      const controller = new AbortController();
      schedule(durationMs, () =>
        controller.abort(new DOMException("The operation timed out", "TimeoutError")),
      );
      return controller.signal;
    },
    turn,
  });

  return { ...clockWith(skewMs), advance, settle, skewed: clockWith };
}

/** What is called at the next tick finds no promise left that could go on. */
const promisesSettled = () => new Promise<void>((resolve) => process.nextTick(resolve));

type Schedule = (durationMs: number, run: () => void) => () => void;

function sleeper(schedule: Schedule): Clock["sleep"] {
  return (durationMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = schedule(durationMs, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      });
      const stop = () => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
}

function repeater(schedule: Schedule): Clock["every"] {
  return (periodMs, body, onError) => {
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
    const tick = () => {
      cancel = schedule(periodMs, tick);
      void run();
    };
    let cancel = schedule(periodMs, tick);
    return { [Symbol.dispose]: () => cancel() };
  };
}
