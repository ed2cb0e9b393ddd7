import { serverError } from "./errors.ts";

/** Runs few acts at a time, the others in the order they came. */
export interface Turns {
  /** @throws overloaded where too many wait */
  run<T>(act: () => Promise<T>): Promise<T>;
  readonly isIdle: boolean;
}

export function createTurns(atOnce: number, waitingMax = Number.POSITIVE_INFINITY): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    get isIdle() {
      return running === 0;
    },
    async run(act) {
      if (running >= atOnce) {
        if (waiting.length >= waitingMax) throw serverError("overloaded");
        // Whoever ends hands its place on, so that nobody who comes meanwhile takes it.
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else running++;
      try {
        return await act();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running--;
      }
    },
  };
}

/** Of one caller's acts; more would be kept for callers that have long gone. */
const WAITING_OF_ONE_MAX = 120;

/** Long acts: those of one caller wait for each other first, so that nobody's fill the line of all. */
export interface LongActs {
  /** @throws overloaded where too many of this caller wait */
  run<T>(caller: string, act: () => Promise<T>): Promise<T>;
}

export function createLongActs({
  ofOne,
  ofAll,
}: {
  readonly ofOne: number;
  readonly ofAll: number;
}): LongActs {
  const all = createTurns(ofAll);
  const byCaller = new Map<string, Turns>();
  return {
    async run(caller, act) {
      const own = byCaller.get(caller) ?? createTurns(ofOne, WAITING_OF_ONE_MAX);
      byCaller.set(caller, own);
      try {
        return await own.run(() => all.run(act));
      } finally {
        if (own.isIdle) byCaller.delete(caller);
      }
    },
  };
}
