import { DarkMatterError, type JsonObject } from "@darkmatter/core";
import type { Background } from "../background.ts";
import type { LanSignals } from "../discovery/lan-signals.ts";
import type { Signalling } from "./signalling.ts";
import type { LevelName } from "./transport.ts";

/** Somebody who brings offers of other agents and takes our answers back, as an anchor does. */
export interface OfferCarrier {
  onOffer(answer: (from: string, offer: JsonObject) => Promise<JsonObject | undefined>): Disposable;
}

/**
 * The answer to an offer that came through somebody else; `undefined` where it is to hear nothing. Nobody is told why:
 * whoever carries offers could otherwise ask what we know of an agent.
 */
async function answerTo(signalling: Signalling, from: string, offer: JsonObject, by: LevelName) {
  try {
    return await signalling.receive({ from, offer, by });
  } catch (error) {
    if (error instanceof DarkMatterError) return undefined;
    throw error;
  }
}

/** Answers offers that come over the local network. */
export function answerLanOffers(
  signalling: Signalling,
  signals: LanSignals,
  background: Background,
): Disposable {
  return signals.onOffer(({ from, data }) =>
    background.start("signalling.lan", async () => {
      const answer = await answerTo(signalling, from, data, "lan-webrtc");
      if (answer) await signals.send({ kind: "answer", to: from, data: answer });
    }),
  );
}

/** Answers offers that an anchor keeps for us. */
export function answerAnchorOffers(signalling: Signalling, carrier: OfferCarrier): Disposable {
  return carrier.onOffer((from, offer) => answerTo(signalling, from, offer, "anchor-relay"));
}
