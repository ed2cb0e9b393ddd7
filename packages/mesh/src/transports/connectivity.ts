import type { Clock } from "@darkmatter/core";
import type { LevelName, Way } from "./transport.ts";

/** What is known of the way to a peer since this node started; nothing of it is stored (mesh.md 6.4). */
export interface PeerState {
  readonly way: Way | undefined;
  readonly level: LevelName;
  /** Looks in a row that found nobody. */
  readonly healthFailures: number;
  /** When the peer itself last gave a sign of life, verified; `undefined`: not since the start. */
  readonly heardAtMs: number | undefined;
}

const UNKNOWN: PeerState = { way: undefined, level: "unknown", healthFailures: 0, heardAtMs: undefined };

/** How each peer is reached, and who is there. */
export interface Connectivity {
  of(agentId: string): PeerState;
  /**
   * The peer itself was heard: a signed message, update or receipt, an answer to a request of ours, an open channel.
   * Never for what an anchor or another peer says of it. Forgets its failures and wakes whoever waits for it.
   */
  heard(agentId: string): void;
  /** A request went through by this way. While a channel is open it is the way, whatever else works beside it. */
  reached(agentId: string, way: Way, level: LevelName): void;
  /** That way to the agent is no more; another may be. */
  lost(agentId: string, way: Way): void;
  /** A look found nobody; how many in a row. */
  failed(agentId: string): number;
  /** The connection ended. */
  forget(agentId: string): void;
  /** Called each time a peer is heard, in the background of whoever heard it. */
  onHeard(listener: (agentId: string) => void): Disposable;
}

export function createConnectivity(clock: Clock): Connectivity {
  const states = new Map<string, PeerState>();
  const listeners = new Set<(agentId: string) => void>();
  const of = (agentId: string) => states.get(agentId) ?? UNKNOWN;

  return {
    of,

    heard(agentId) {
      states.set(agentId, { ...of(agentId), healthFailures: 0, heardAtMs: clock.now() });
      for (const listener of listeners) listener(agentId);
    },

    reached(agentId, way, level) {
      // What was asked another way before the channel opened may be answered after.
      if (way !== "webrtc" && of(agentId).way === "webrtc") return;
      states.set(agentId, { ...of(agentId), way, level });
    },

    lost(agentId, way) {
      const state = of(agentId);
      if (state.way === way) states.set(agentId, { ...state, way: undefined, level: "unknown" });
    },

    failed(agentId) {
      const state = of(agentId);
      const healthFailures = state.healthFailures + 1;
      states.set(agentId, { ...state, way: undefined, level: "unknown", healthFailures });
      return healthFailures;
    },

    forget: (agentId) => void states.delete(agentId),

    onHeard(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
