import { type Clock, MINUTE_MS, type Random } from "@darkmatter/core";
import { netError } from "../errors.ts";

/** A way between two hosts, by the names of their machines. */
export interface Way {
  readonly from: string;
  readonly to: string;
}

export interface Faults {
  /** Milliseconds one way, evenly spread between the two. */
  latency(minMs: number, maxMs?: number): void;
  /** No connection between the two until disposed. `silent`: packets vanish, so that callers wait for their deadline. */
  partition(one: string, other: string, options?: { readonly silent?: boolean }): Disposable;
  /** The connection breaks before the request arrives, or after it was handled and before the answer arrives. */
  lose(what: "request" | "answer", way?: Partial<Way>, options?: LossOptions): Disposable;
}

export interface LossOptions {
  /** Of each exchange, 0 to 1. Default 1. */
  readonly chance?: number;
  /** Exchanges to spoil; then the fault is over. Default: all. */
  readonly times?: number;
}

interface Loss {
  readonly what: "request" | "answer";
  readonly way: Partial<Way>;
  readonly chance: number;
  left: number;
}

/** What may go wrong between hosts, decided by a seeded `Random`. */
export function createFaults({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
  const partitions = new Set<{ readonly hosts: readonly string[]; readonly silent: boolean }>();
  const losses = new Set<Loss>();
  let [minMs, maxMs] = [0, 0];

  const faults: Faults = {
    latency(from, to = from) {
      [minMs, maxMs] = [from, to];
    },
    partition(one, other, { silent = false } = {}) {
      const partition = { hosts: [one, other], silent };
      partitions.add(partition);
      return { [Symbol.dispose]: () => void partitions.delete(partition) };
    },
    lose(what, way = {}, { chance = 1, times = Number.POSITIVE_INFINITY } = {}) {
      const loss = { what, way, chance, left: times };
      losses.add(loss);
      return { [Symbol.dispose]: () => void losses.delete(loss) };
    },
  };

  function loses(what: Loss["what"], { from, to }: Way): boolean {
    for (const loss of losses) {
      const here = loss.what === what && (loss.way.from ?? from) === from && (loss.way.to ?? to) === to;
      if (!here || loss.left <= 0 || random.integer(2 ** 32) >= loss.chance * 2 ** 32) continue;
      loss.left--;
      return true;
    }
    return false;
  }

  return {
    faults,
    /** @throws UNREACHABLE */
    async connect({ from, to }: Way, signal: AbortSignal): Promise<void> {
      for (const { hosts, silent } of partitions) {
        if (from === to || !hosts.includes(from) || !hosts.includes(to)) continue;
        while (silent) await clock.sleep(MINUTE_MS, signal);
        throw netError("UNREACHABLE");
      }
    },
    /** One way of an exchange. @throws CONNECTION_LOST */
    async carry(what: Loss["what"], way: Way, signal: AbortSignal): Promise<void> {
      const delayMs = minMs + random.integer(Math.floor(maxMs - minMs) + 1);
      // Never in the caller's own turn: no network answers within it.
      if (delayMs > 0 && way.from !== way.to) await clock.sleep(delayMs, signal);
      else await clock.turn();
      if (loses(what, way)) throw netError("CONNECTION_LOST");
    },
  };
}
