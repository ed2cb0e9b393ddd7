import { type Clock, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { LanSignals } from "../discovery/lan-signals.ts";
import { OVER } from "../over.ts";
import type { SignalPath } from "./signal-paths.ts";

/** The other side gathers its candidates for up to 10 s before it answers. */
const ANSWER_WITHIN_MS = 12 * SECOND_MS;

export interface LanPathPorts {
  readonly clock: Clock;
  readonly signals: LanSignals;
  /** Whether the agent was seen in the local network lately: the rest of the world is not told of our addresses. */
  isNear(agentId: string): boolean;
}

/** Offers over the local network, to agents whose beacons are heard there (mesh.md 8). */
export function lanPath({ clock, signals, isNear }: LanPathPorts): SignalPath {
  return {
    level: "lan-webrtc",
    async bring(peer, offer, isAnswer, signal) {
      if (!signals.isOn() || !isNear(peer.agentId)) return { kind: "nobody" };
      const found = Promise.withResolvers<JsonObject>();
      const over = new AbortController();
      // Anybody in the network may answer in the peer's name: the first that is signed by it counts.
      using _listening = signals.onAnswer(({ from, data }) => {
        if (from !== peer.agentId) return;
        void isAnswer(data).then((isOwn) => isOwn && found.resolve(data));
      });
      const late = clock
        .sleep(ANSWER_WITHIN_MS, AbortSignal.any([signal, over.signal]))
        .catch(() => undefined);
      try {
        await signals.send({ kind: "offer", to: peer.agentId, data: offer });
        const data = await Promise.race([found.promise, late]);
        return data ? { kind: "answer", data } : { kind: "nobody" };
      } catch {
        // No network to say it to: other ways remain, and discovery says what is wrong with this one.
        return { kind: "nobody" };
      } finally {
        over.abort(OVER);
      }
    },
  };
}
