import { type Random, sha256 } from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import {
  type MemoryInternet,
  type MemoryLan,
  type MemoryWebRtc,
  memoryInternet,
  memoryLan,
  memoryWebRtc,
} from "@darkmatter/net/testing";
import { createSignatures, type Signatures } from "./signatures.ts";
import { createTrace, type Trace } from "./trace.ts";

/** What all machines of a run share: time, chance, the network between them, and what happened. */
export interface World {
  readonly seed: number;
  /** True time; each machine sees it with its own error. */
  readonly clock: VirtualClock;
  readonly internet: MemoryInternet;
  readonly webRtc: MemoryWebRtc;
  /** The local network everybody in the open is in, and those behind each router. */
  lan(name: string): MemoryLan;
  readonly trace: Trace;
  /** Chance of its own for each purpose, so that one that draws more leaves the others as they were. */
  random(purpose: string): Random;
  /** Work that waits for no time: while there is any, time stands still. */
  readonly work: { running: number };
  readonly signatures: Signatures;
  /** Whoever listens on the wires hears every request that leaves a node. */
  readonly taps: Set<(tapped: Tapped) => void>;
}

export interface Tapped {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

export interface WorldOptions {
  readonly seed: number;
  readonly showTrace?: ((line: string) => void) | undefined;
  /** For measuring: no signature is known as good that was not checked. */
  readonly checksAll?: boolean;
}

/** 2026-03-05T12:00:00Z */
const START_MS = 1_772_712_000_000;
const SEED_BYTES = 6;

export function createWorld({ seed, showTrace, checksAll = false }: WorldOptions): World {
  const work = { running: 0 };
  const clock = virtualClock({ startMs: START_MS, isBusy: () => work.running > 0 });
  const random = (purpose: string) => seededRandom(seedOf(seed, purpose));
  const internet = memoryInternet({ clock, random: random("internet") });
  const lans = new Map<string, MemoryLan>();
  return {
    seed,
    clock,
    internet,
    webRtc: memoryWebRtc({ clock, reaches: internet.reaches }),
    lan(name) {
      const known = lans.get(name) ?? memoryLan();
      lans.set(name, known);
      return known;
    },
    trace: createTrace(() => clock.monotonic(), showTrace),
    random,
    work,
    signatures: createSignatures({ checksAll }),
    taps: new Set(),
  };
}

function seedOf(seed: number, purpose: string): number {
  const digest = sha256(`${seed} ${purpose}`).subarray(0, SEED_BYTES);
  return digest.reduce((sum, byte) => sum * 256 + byte, 0);
}
