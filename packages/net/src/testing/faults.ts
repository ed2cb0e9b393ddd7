import { type Clock, MINUTE_MS, type Random, SECOND_MS } from "@darkmatter/core";
import { netError } from "../errors.ts";

/** A way between two hosts, by the names of their machines. */
export interface Way {
  readonly from: string;
  readonly to: string;
}

export interface Faults {
  /** Milliseconds one way, evenly spread between the two; `tail` of them take up to `tailMs` instead. */
  latency(minMs: number, maxMs?: number, tail?: { readonly chance: number; readonly maxMs: number }): void;
  /** No connection between the two until disposed. */
  partition(one: string, other: string, options?: PartitionOptions): Disposable;
  /** The connection breaks before the request arrives, or after it was handled and before the answer arrives. */
  lose(what: "request" | "answer", way?: Partial<Way>, options?: LossOptions): Disposable;
  /** A request is handled twice, as when something in between repeats it; the caller gets the first answer. */
  duplicate(way?: Partial<Way>, options?: LossOptions): Disposable;
}

export interface PartitionOptions {
  /** Packets vanish, so that callers wait for their deadline. */
  readonly silent?: boolean;
  /** Only connections that the first opens to the other fail. */
  readonly oneWay?: boolean;
}

export interface LossOptions {
  /** Of each exchange, 0 to 1. Default 1. */
  readonly chance?: number;
  /** Exchanges to spoil; then the fault is over. Default: all. */
  readonly times?: number;
}

interface Spoiling {
  readonly what: "request" | "answer" | "duplicate";
  readonly way: Partial<Way>;
  readonly chance: number;
  left: number;
}

interface Partition extends Way {
  readonly silent: boolean;
  readonly oneWay: boolean;
}

/** A request that is repeated arrives again within this. */
const REPEATED_WITHIN_MS = 2 * SECOND_MS;
const CHANCE_STEPS = 2 ** 32;

/** What may go wrong between hosts, decided by a seeded `Random`. */
export function createFaults({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
  const partitions = new Set<Partition>();
  const spoilings = new Set<Spoiling>();
  let [minMs, maxMs] = [0, 0];
  let tail = { chance: 0, maxMs: 0 };

  const happens = (chance: number) => random.integer(CHANCE_STEPS) < chance * CHANCE_STEPS;

  function spoil(what: Spoiling["what"], way: Partial<Way>, options: LossOptions): Disposable {
    const { chance = 1, times = Number.POSITIVE_INFINITY } = options;
    const spoiling = { what, way, chance, left: times };
    spoilings.add(spoiling);
    return { [Symbol.dispose]: () => void spoilings.delete(spoiling) };
  }

  const faults: Faults = {
    latency(from, to = from, slow = { chance: 0, maxMs: 0 }) {
      [minMs, maxMs] = [from, to];
      tail = slow;
    },
    partition(from, to, { silent = false, oneWay = false } = {}) {
      const partition = { from, to, silent, oneWay };
      partitions.add(partition);
      return { [Symbol.dispose]: () => void partitions.delete(partition) };
    },
    lose: (what, way = {}, options = {}) => spoil(what, way, options),
    duplicate: (way = {}, options = {}) => spoil("duplicate", way, options),
  };

  function isSpoilt(what: Spoiling["what"], { from, to }: Way): boolean {
    for (const spoiling of spoilings) {
      const { way } = spoiling;
      const here = spoiling.what === what && (way.from ?? from) === from && (way.to ?? to) === to;
      if (!here || spoiling.left <= 0 || !happens(spoiling.chance)) continue;
      spoiling.left--;
      return true;
    }
    return false;
  }

  function cutBetween({ from, to }: Way): Partition | undefined {
    if (from === to) return undefined;
    for (const partition of partitions) {
      const along = partition.from === from && partition.to === to;
      const against = !partition.oneWay && partition.from === to && partition.to === from;
      if (along || against) return partition;
    }
    return undefined;
  }

  function delay(): number {
    const slow = tail.chance > 0 && happens(tail.chance);
    return minMs + random.integer(Math.floor((slow ? tail.maxMs : maxMs) - minMs) + 1);
  }

  return {
    faults,
    /** Whether a new connection would be cut. */
    isCut: (way: Way) => cutBetween(way) !== undefined,
    /** @throws UNREACHABLE */
    async connect(way: Way, signal: AbortSignal): Promise<void> {
      const cut = cutBetween(way);
      while (cut?.silent) await clock.sleep(MINUTE_MS, signal);
      if (cut) throw netError("UNREACHABLE");
    },
    /** One way of an exchange. @throws CONNECTION_LOST */
    async carry(what: "request" | "answer", way: Way, signal: AbortSignal): Promise<void> {
      const delayMs = delay();
      // Never in the caller's own turn: no network answers within it.
      if (delayMs > 0 && way.from !== way.to) await clock.sleep(delayMs, signal);
      else await clock.turn();
      if (isSpoilt(what, way)) throw netError("CONNECTION_LOST");
    },
    /** After how many milliseconds a request comes again; `undefined` when it does not. */
    repeated: (way: Way): number | undefined =>
      isSpoilt("duplicate", way) ? random.integer(REPEATED_WITHIN_MS) : undefined,
  };
}
