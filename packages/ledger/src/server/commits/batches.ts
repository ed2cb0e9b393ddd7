import { type Clock, DarkMatterError } from "@darkmatter/core";
import { serverError } from "../errors.ts";

/** Orders of one transaction at most. */
export const BATCH_MAX = 128;
/** Characters of payload in one transaction, unless a single one has more. */
const BATCH_SIZE_MAX = 4_000_000;
/** Turns of the loop that a busy server lets pass before a batch begins: what comes in them shares its COMMIT. */
const GATHERING_TURNS = 8;
/** A batch of so many makes the server count as busy; so many waiting end the gathering. */
const BUSY_BATCH = 4;
const GATHERED_ENOUGH = 48;
/** Orders that may wait; beyond that they are refused as busy. */
const WAITING_MAX = 4096;

export interface BatchesOptions<Order, Outcome> {
  /** Carries out all of them or none; may be called again for each alone. Outcomes in the order of the orders. */
  readonly run: (orders: readonly Order[]) => Promise<readonly Outcome[]>;
  readonly sizeOf: (order: Order) => number;
  readonly clock: Pick<Clock, "turn">;
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
  const { run, sizeOf, clock } = options;
  type Waits = Waiting<Order, Outcome>;
  const waiting: Waits[] = [];
  let isRunning = false;
  let lastBatch = 0;

  /** A lone order goes at once; many at a time wait a little for each other. */
  async function gather(): Promise<void> {
    for (let turn = 1; turn < GATHERING_TURNS; turn++) {
      if (lastBatch <= BUSY_BATCH || waiting.length >= GATHERED_ENOUGH) return;
      await clock.turn();
    }
  }

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
    while (waiting.length > 0) {
      await gather();
      const batch = nextBatch();
      lastBatch = batch.length;
      await carryOut(batch);
    }
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
