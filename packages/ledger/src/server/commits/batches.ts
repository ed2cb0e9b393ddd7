import { DarkMatterError } from "@darkmatter/core";
import { serverError } from "../errors.ts";

/** Orders of one transaction at most. */
const BATCH_MAX = 128;
/** Characters of payload in one transaction, unless a single one has more. */
const BATCH_SIZE_MAX = 4_000_000;
/** Orders that may wait; beyond that they are refused as busy. */
export const WAITING_MAX = 4096;

export interface BatchesOptions<Order, Outcome> {
  /** Carries out all of them or none; may be called again for each alone. Outcomes in the order of the orders. */
  readonly run: (orders: readonly Order[]) => Promise<readonly Outcome[]>;
  readonly sizeOf: (order: Order) => number;
}

export interface Batches<Order, Outcome> {
  add(order: Order): Promise<Outcome>;
}

interface Waiting<Order, Outcome> {
  readonly order: Order;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** One batch is under way; what comes meanwhile is the next one. */
export function createBatches<Order, Outcome>(
  options: BatchesOptions<Order, Outcome>,
): Batches<Order, Outcome> {
  const { run, sizeOf } = options;
  type Waits = Waiting<Order, Outcome>;
  const waiting: Waits[] = [];
  let isRunning = false;

  function nextBatch(): Waits[] {
    let [count, size] = [0, 0];
    for (const { order } of waiting) {
      size += sizeOf(order);
      if (count > 0 && (size > BATCH_SIZE_MAX || count === BATCH_MAX)) break;
      count++;
    }
    return waiting.splice(0, count);
  }

  /** Never rejects: every order hears for itself. */
  async function carryOut(batch: readonly Waits[]): Promise<void> {
    try {
      const outcomes = await run(batch.map(({ order }) => order));
      for (const [at, { resolve }] of batch.entries()) resolve(outcomes[at] as Outcome);
    } catch (error) {
      if (batch.length > 1 && isFaultOfOne(error)) for (const one of batch) await carryOut([one]);
      else for (const { reject } of batch) reject(error);
    }
  }

  async function drain(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) await carryOut(nextBatch());
    isRunning = false;
  }

  return {
    add: (order) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= WAITING_MAX) throw serverError("busy");
        waiting.push({ order, resolve, reject });
        if (!isRunning) void drain();
      }),
  };
}

/** Whether the others may land without it. A database that is gone, full or silent would fail them all alike. */
function isFaultOfOne(error: unknown): boolean {
  return !(error instanceof DarkMatterError) || (error.status !== 503 && error.status !== 507);
}
