import { hasCode, isJsonObject, type JsonObject } from "@darkmatter/core";
import { createWindowLimiter, type Guard, json, type Route, ready, refusal } from "@darkmatter/surface";
import { meshError } from "../errors.ts";
import { agentIdField, type Body } from "../fields.ts";
import type { Services } from "../services.ts";
import { readOffer, requireSigned } from "./descriptions.ts";
import type { ReceivedOffer } from "./signalling.ts";

/** Twice a description as it is longest, every character of it escaped, fits; nothing much longer is parsed. */
const SIGNAL_BYTES_MAX = 256 * 1024;
/** Offers of one address a minute, looked at before any signature is. */
const SIGNALS_PER_MINUTE = 120;
/** Offers a minute relayed for one peer, and to one. */
const RELAYED_FROM_PER_MINUTE = 12;
const RELAYED_TO_PER_MINUTE = 24;
/** The target gathers its candidates for up to 10 s, and whoever asks waits 15 s. */
const DELIVER_MS = 13_000;
const ANSWER_CHARACTERS_MAX = 192 * 1024;

export function signallingRoutes(services: Services): Route[] {
  const { db, ports, connections, signalling, transports } = services;
  const { clock, verifier, signer, webRtc } = ports;
  const limiter = createWindowLimiter({ clock });
  const isReady = ready(services.isReady);
  const available: Guard = () => (webRtc ? undefined : refusal(501, "WebRTC is not available here"));
  const rate: Guard = ({ remote }) =>
    limiter.take(`address ${remote.address}`, SIGNALS_PER_MINUTE)
      ? undefined
      : refusal(429, "Too many offers");

  async function answered(offer: ReceivedOffer) {
    try {
      return json(200, await signalling.receive(offer));
    } catch (error) {
      if (hasCode(error, "CHANNEL_FAILED")) return refusal(500, "The offer cannot be answered");
      throw error;
    }
  }

  /** An offer of a connection of ours, for another of ours: anything else is not carried. */
  async function requireRelayable(offer: JsonObject, from: string, target: string): Promise<void> {
    const read = readOffer(offer);
    if (read.agentId !== from) throw meshError("FORBIDDEN", "The offer is another agent's");
    if (!(await connections.get(db, from)))
      throw meshError("FORBIDDEN", "Not connected to originating agent");
    await requireSigned(verifier, read);
    const room =
      limiter.take(`from ${from}`, RELAYED_FROM_PER_MINUTE) &&
      limiter.take(`to ${target}`, RELAYED_TO_PER_MINUTE);
    if (!room) throw meshError("TOO_MANY", "Too many offers to relay");
  }

  async function relay(body: Body) {
    const { offer_data: offer } = body;
    const [target, from] = [agentIdField(body, "target_agent_id"), agentIdField(body, "from_agent_id")];
    if (!target || !from || !isJsonObject(offer)) {
      return refusal(400, "Missing target_agent_id, from_agent_id, or offer_data");
    }
    await requireRelayable(offer, from, target);
    const peer = await connections.get(db, target);
    if (!peer || target === from) return refusal(404, "Not connected to target agent");
    const delivery = { from_agent_id: from, offer_data: offer, relay_agent_id: signer.agentId };
    // To the addresses of our own connection and no others: nothing in the request says where it goes.
    const outcome = await transports.call(peer, {
      method: "POST",
      path: "sdp_relay_deliver",
      body: delivery,
      timeoutMs: DELIVER_MS,
    });
    if (outcome.kind !== "answered") return refusal(502, "The target agent could not be reached");
    const { status, body: answer } = outcome.answer;
    if (status >= 400) return refusal(502, `Target returned ${status}`);
    if (JSON.stringify(answer).length > ANSWER_CHARACTERS_MAX)
      return refusal(502, "The target's answer is too long");
    return json(200, answer);
  }

  const route = (
    path: string,
    summary: string,
    guards: Guard[],
    handle: (body: Body) => ReturnType<Route["handle"]>,
  ) =>
    ({
      method: "POST",
      path: `/__darkmatter__/${path}`,
      summary,
      guards: [isReady, ...guards, rate],
      body: "json",
      maxBytes: SIGNAL_BYTES_MAX,
      handle: ({ json: body }) => handle(body),
    }) satisfies Route;

  return [
    route("webrtc_offer", "A connected agent offers a direct channel.", [available], (offer) =>
      answered({ offer, by: "direct" }),
    ),
    route("sdp_relay", "Brings a connected agent's offer to another connected agent.", [], relay),
    route(
      "sdp_relay_deliver",
      "A connected agent's offer, brought by another.",
      [available],
      async (body) => {
        const { offer_data: offer } = body;
        const from = agentIdField(body, "from_agent_id");
        if (!from || !isJsonObject(offer)) return refusal(400, "Missing from_agent_id or offer_data");
        return answered({ from, offer, by: "peer-relay" });
      },
    ),
  ];
}
