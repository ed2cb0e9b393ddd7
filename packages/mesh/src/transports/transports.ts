import type { Connectivity } from "./connectivity.ts";
import type { LevelName, Outcome, Transport, Transports, Way } from "./transport.ts";

/** The level of a request that went through; a channel's is set when it opens. */
const LEVEL_OF: Readonly<Partial<Record<Way, LevelName>>> = { http: "direct", anchor: "anchor-msg-relay" };

/** The ways, tried in the order given. */
export function createTransports(ways: readonly Transport[], connectivity: Connectivity): Transports {
  function note(agentId: string, outcome: Outcome): void {
    if (outcome.kind === "failed") return;
    const level = LEVEL_OF[outcome.way];
    if (level) connectivity.reached(agentId, outcome.way, level);
    // A relay's word is no sign of life.
    if (outcome.kind === "answered") connectivity.heard(agentId);
  }

  return {
    async call(peer, request) {
      let failure: Outcome = { kind: "failed", error: undefined, left: false };
      for (const way of ways) {
        if (!way.serves(peer, request)) continue;
        const outcome = await way.carry(peer, request);
        if (outcome.kind !== "failed") {
          note(peer.agentId, outcome);
          return outcome.kind === "answered" && failure.left ? { ...outcome, repeated: true } : outcome;
        }
        // The first reason is the one of the way that should have worked.
        failure = { ...outcome, error: failure.error ?? outcome.error, left: failure.left || outcome.left };
      }
      return failure;
    },
  };
}
