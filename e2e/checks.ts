import { setImmediate as turn } from "node:timers/promises";

/** Named checks of one run: each is printed as it ends, and a failed one does not keep the next from running. */
export interface Checks {
  /** Runs one check within its deadline. Whether it passed. */
  check(name: string, body: () => Promise<void> | void, deadlineMs?: number): Promise<boolean>;
  skip(name: string, reason: string): void;
  /** A measured value, for people. */
  figure(name: string, value: number, unit: string): void;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const DEADLINE_MS = 15_000;
const REASON_LENGTH_MAX = 1200;

export function createChecks(print: (line: string) => void = console.log): Checks {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  return {
    async check(name, body, deadlineMs = DEADLINE_MS) {
      // Suites run side by side in this process: each check lets the others hear what came for them.
      await turn();
      const start = performance.now();
      try {
        await within(deadlineMs, Promise.resolve().then(body));
        counts.passed++;
        print(`ok     ${name} (${Math.round(performance.now() - start)} ms)`);
        return true;
      } catch (error) {
        counts.failed++;
        print(`FAILED ${name}: ${reasonOf(error)}`);
        return false;
      }
    },
    skip(name, reason) {
      counts.skipped++;
      print(`skip ${name}: ${reason}`);
    },
    figure: (name, value, unit) => print(`figure ${name} ${Math.round(value * 10) / 10} ${unit}`),
    get passed() {
      return counts.passed;
    },
    get failed() {
      return counts.failed;
    },
    get skipped() {
      return counts.skipped;
    },
  };
}

/** What a promise brings, or a failure once the time is over. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const fail = () => late.reject(new Error(`not done within ${timeoutMs} ms`));
  // What came in time is heard first, where this process was busy meanwhile.
  const timer = setTimeout(() => setImmediate(fail), timeoutMs);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the answer is something; fails with what it was about once the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  timeoutMs = 5000,
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length <= REASON_LENGTH_MAX ? text : `${text.slice(0, REASON_LENGTH_MAX)}…`;
}
