import { type Clock, isJsonObject, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { ANCHOR_POST_MS, type Anchors } from "./anchors.ts";

/** How often an answer to our offer is asked for, and for how long (mesh.md 10.1). */
const ANSWER_PERIOD_MS = 2 * SECOND_MS;
const ANSWER_WITHIN_MS = 30 * SECOND_MS;
/** Offers of ours under way at once. */
const WAITING_MAX = 32;

/** Answers an offer of another agent; `undefined` where none is wanted. What is in it is the listener's to verify. */
export type AnswerOffer = (fromAgentId: string, offer: JsonObject) => Promise<JsonObject | undefined>;

/** Offers and answers for data channels, left with anchors (mesh.md 10.1). What they hold is signed inside. */
export interface SdpRelay {
  /** Whether there is an anchor at all. */
  isOn(): boolean;
  /** Leaves our offer for an agent and waits for its answer; `undefined` when none came within 30 s. */
  exchange(agentId: string, offer: JsonObject, signal?: AbortSignal): Promise<JsonObject | undefined>;
  /** Who answers offers; one at a time. */
  onOffer(answer: AnswerOffer): Disposable;
}

/** The relay, and where what polls bring goes in. */
export interface SdpDesk extends SdpRelay {
  take(entry: JsonObject): Promise<void>;
}

/** `poll` begins to fetch what lies with the anchors; signals among it are handed to `take`. */
export function createSdpDesk(
  { clock, signer }: { readonly clock: Clock; readonly signer: Signer },
  anchors: Anchors,
  poll: () => void,
): SdpDesk {
  const waiting = new Map<string, (answer: JsonObject) => void>();
  let answerOffer: AnswerOffer | undefined;

  const leave = (to: string, body: object) =>
    anchors.leave(`sdp_relay/${to}`, { from_agent_id: signer.agentId, ...body }, ANCHOR_POST_MS);

  async function pollUntil(heard: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const until = clock.monotonic() + ANSWER_WITHIN_MS;
    while (!heard() && clock.monotonic() < until) {
      await clock.sleep(ANSWER_PERIOD_MS, signal);
      poll();
    }
  }

  return {
    isOn: () => anchors.urls().length > 0,

    async exchange(agentId, offer, signal) {
      // One offer to an agent at a time: an answer does not say which it is for.
      if (waiting.has(agentId) || waiting.size >= WAITING_MAX) return undefined;
      let answer: JsonObject | undefined;
      waiting.set(agentId, (found) => {
        answer = found;
      });
      try {
        const { taken } = await leave(agentId, { offer_data: offer, type: "offer" });
        if (taken) await pollUntil(() => answer !== undefined, signal);
        return answer;
      } finally {
        waiting.delete(agentId);
      }
    },

    onOffer(answer) {
      answerOffer = answer;
      return {
        [Symbol.dispose]: () => {
          if (answerOffer === answer) answerOffer = undefined;
        },
      };
    },

    async take(entry) {
      const { from_agent_id: from, type, offer_data: offer, answer_data: answer } = entry;
      if (typeof from !== "string" || from === signer.agentId) return;
      if (type === "answer" && isJsonObject(answer)) waiting.get(from)?.(answer);
      if (type !== "offer" || !isJsonObject(offer) || !answerOffer) return;
      const given = await answerOffer(from, offer);
      if (given) await leave(from, { answer_data: given, type: "answer" });
    },
  };
}
