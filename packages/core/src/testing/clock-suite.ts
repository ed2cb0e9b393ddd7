import assert from "node:assert/strict";
import type { Clock } from "../clock.ts";

/** One rule of a port. Suites are data, so that any runner runs them: `for (const { title, run } of …) test(title, run)`. */
export interface SuiteCase {
  readonly title: string;
  readonly run: () => Promise<void>;
}

export interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets so much time pass. */
  readonly pass: (durationMs: number) => Promise<void>;
}

/** What every `Clock` keeps. Durations are short enough for the machine's own. */
export function clockSuite(make: () => ClockUnderTest): readonly SuiteCase[] {
  return [
    ...sleepCases(make),
    ...everyCases(make),
    {
      title: "now and monotonic move on together",
      async run() {
        const { clock, pass } = make();
        const before = { wall: clock.now(), steady: clock.monotonic() };
        await pass(30);
        assert.ok(clock.now() - before.wall >= 25);
        assert.ok(clock.monotonic() - before.steady >= 25);
      },
    },
    {
      title: "a deadline may be a fraction of a millisecond, or over already",
      async run() {
        const { clock, pass } = make();
        const signals = [clock.deadline(4.5), clock.deadline(-1)];
        await pass(60);
        assert.deepEqual(
          signals.map(({ aborted }) => aborted),
          [true, true],
        );
      },
    },
    {
      title: "a deadline aborts with a TimeoutError, and not before",
      async run() {
        const { clock, pass } = make();
        const signal = clock.deadline(60);
        await pass(10);
        assert.equal(signal.aborted, false);
        await pass(120);
        assert.equal(signal.aborted, true);
        assert.equal((signal.reason as DOMException).name, "TimeoutError");
      },
    },
    {
      title: "a turn lets promises that are ready run",
      async run() {
        const { clock } = make();
        const seen: string[] = [];
        void Promise.resolve()
          .then(() => undefined)
          .then(() => seen.push("promise"));
        await clock.turn();
        assert.deepEqual(seen, ["promise"]);
      },
    },
  ];
}

function sleepCases(make: () => ClockUnderTest): readonly SuiteCase[] {
  return [
    {
      title: "sleepers wake in the order of their times",
      async run() {
        const { clock, pass } = make();
        const woken: string[] = [];
        void clock.sleep(80).then(() => woken.push("late"));
        void clock.sleep(20).then(() => woken.push("early"));
        await pass(200);
        assert.deepEqual(woken, ["early", "late"]);
      },
    },
    {
      title: "an aborted sleep rejects at once with the signal's reason",
      async run() {
        const { clock } = make();
        const stop = new AbortController();
        const sleeping = clock.sleep(60_000, stop.signal);
        stop.abort(new Error("enough"));
        await assert.rejects(sleeping, /enough/);
        await assert.rejects(clock.sleep(60_000, stop.signal), /enough/);
      },
    },
  ];
}

function everyCases(make: () => ClockUnderTest): readonly SuiteCase[] {
  return [
    {
      title: "every runs again and again until it is disposed",
      async run() {
        const { clock, pass } = make();
        let runs = 0;
        const ticking = clock.every(20, () => void runs++, assert.ifError);
        await pass(150);
        ticking[Symbol.dispose]();
        const seen = runs;
        assert.ok(seen >= 3, `${seen} runs`);
        await pass(80);
        assert.equal(runs, seen);
      },
    },
    {
      title: "a run that lasts longer than the period is never joined by a second",
      async run() {
        const { clock, pass } = make();
        let [running, most] = [0, 0];
        using _ticking = clock.every(
          10,
          async () => {
            most = Math.max(most, ++running);
            await clock.sleep(45);
            running--;
          },
          assert.ifError,
        );
        await pass(150);
        assert.equal(most, 1);
      },
    },
    {
      title: "a run that throws is reported and the next one comes",
      async run() {
        const { clock, pass } = make();
        const errors: unknown[] = [];
        using _ticking = clock.every(
          20,
          () => Promise.reject(new Error("no")),
          (error) => errors.push(error),
        );
        await pass(150);
        assert.ok(errors.length >= 2, `${errors.length} errors`);
      },
    },
  ];
}
