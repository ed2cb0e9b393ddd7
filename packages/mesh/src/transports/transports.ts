import { type Clock, SECOND_MS } from "@darkmatter/core";
import type { Connection } from "../connections/connection.ts";
import type { Connectivity } from "./connectivity.ts";
import type { LevelName, Outcome, PeerRequest, Transport, Transports, Way } from "./transport.ts";

/** The level of a request that went through; a channel's is set when it opens. */
const LEVEL_OF: Readonly<Partial<Record<Way, LevelName>>> = { http: "direct", anchor: "anchor-msg-relay" };
/** A way that failed is tried after the others for so long. */
const SPOILT_MS = 30 * SECOND_MS;
const REMEMBERED_MAX = 1000;

/** The ways, tried in the order given; one that failed just now is tried last. */
export function createTransports(
  ways: readonly Transport[],
  connectivity: Connectivity,
  clock: Pick<Clock, "monotonic">,
): Transports {
  const spoilt = createSpoilt(clock);

  function note(agentId: string, outcome: Outcome): void {
    if (outcome.kind === "failed") return;
    const level = LEVEL_OF[outcome.way];
    // An open channel is how a peer is reached, also when one request had to go another way.
    if (level && connectivity.of(agentId).way !== "webrtc") connectivity.reached(agentId, outcome.way, level);
    // A relay's word is no sign of life.
    if (outcome.kind === "answered" && isOwnWord(agentId, outcome)) connectivity.heard(agentId);
  }

  function inOrder(peer: Connection, request: PeerRequest): Transport[] {
    const serving = ways.filter((way) => way.serves(peer, request));
    const isSpoilt = new Map(serving.map((way) => [way, spoilt.has(peer, ways.indexOf(way))]));
    return serving.sort((one, other) => Number(isSpoilt.get(one)) - Number(isSpoilt.get(other)));
  }

  return {
    async call(peer, request) {
      let failure: Outcome = { kind: "failed", error: undefined, left: false };
      for (const way of inOrder(peer, request)) {
        // Another way may have taken seconds to fail.
        if (!way.serves(peer, request)) continue;
        const outcome = await way.carry(peer, request);
        spoilt.note(peer, ways.indexOf(way), outcome.kind === "failed");
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

/**
 * Whoever has the peer's address by now refuses what is for the peer, or names itself: no sign of its life. A channel's
 * other end is the peer.
 */
function isOwnWord(agentId: string, { way, answer }: Outcome & { readonly kind: "answered" }): boolean {
  if (way === "webrtc") return true;
  const { agent_id: named = agentId } = answer.body;
  return answer.status < 400 && named === agentId;
}

/** Which way to which peer failed just now. An address that changed is another way. */
function createSpoilt(clock: Pick<Clock, "monotonic">) {
  const untilMs = new Map<string, number>();
  const keyOf = ({ agentId, url }: Connection, way: number) => `${way} ${agentId} ${url}`;
  return {
    has: (peer: Connection, way: number) => (untilMs.get(keyOf(peer, way)) ?? 0) > clock.monotonic(),

    note(peer: Connection, way: number, failed: boolean): void {
      untilMs.delete(keyOf(peer, way));
      if (!failed) return;
      if (untilMs.size >= REMEMBERED_MAX) untilMs.clear();
      untilMs.set(keyOf(peer, way), clock.monotonic() + SPOILT_MS);
    },
  };
}
