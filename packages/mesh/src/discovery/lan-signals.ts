import { SECOND_MS, sha256Hex } from "@darkmatter/core";
import type { LanSignal } from "./beacon.ts";

export type SignalListener = (signal: LanSignal) => void;

/** Offers and answers for data channels over the local network (mesh.md 8). What they hold is signed inside. */
export interface LanSignals {
  /** Whether the local network is listened to now. */
  isOn(): boolean;
  /** Rejects with MULTICAST_FAILED where there is no local network to say it to. */
  send(signal: Omit<LanSignal, "from">): Promise<void>;
  /** Offers to us of connected agents, each once; whether they sent them is for the listener to verify. */
  onOffer(listener: SignalListener): Disposable;
  /** Answers, likewise. */
  onAnswer(listener: SignalListener): Disposable;
}

/** A datagram may arrive once by each network that two machines share. */
const SAME_WITHIN_MS = 10 * SECOND_MS;
const REMEMBERED_MAX = 64;

/** Hands signals to whoever listens. */
export interface SignalDesk extends Pick<LanSignals, "onOffer" | "onAnswer"> {
  take(signal: LanSignal): void;
}

/** `now` in milliseconds. */
export function createSignalDesk(now: () => number): SignalDesk {
  const listeners = { offer: new Set<SignalListener>(), answer: new Set<SignalListener>() };
  const lately = new Map<string, number>();

  function isRepeat(signal: LanSignal): boolean {
    for (const [hash, atMs] of lately) if (now() - atMs > SAME_WITHIN_MS) lately.delete(hash);
    const hash = sha256Hex(JSON.stringify(signal));
    if (lately.has(hash)) return true;
    if (lately.size >= REMEMBERED_MAX) lately.delete([...lately.keys()][0] ?? "");
    lately.set(hash, now());
    return false;
  }

  const on = (kind: LanSignal["kind"]) => (listener: SignalListener) => {
    listeners[kind].add(listener);
    return { [Symbol.dispose]: () => void listeners[kind].delete(listener) };
  };

  return {
    onOffer: on("offer"),
    onAnswer: on("answer"),
    take(signal) {
      if (isRepeat(signal)) return;
      for (const listener of listeners[signal.kind]) listener(signal);
    },
  };
}
