import { isAdmissibleKey, isFresh } from "@darkmatter/core";
import { antimatterResultText, type Verifier } from "@darkmatter/identity";
import { meshError } from "../errors.ts";
import { AGENT_ID_CODE_POINTS_MAX, type Body, textField } from "../fields.ts";
import type { HeldSignal } from "./antimatter.store.ts";
import { isWallet } from "./around.ts";
import { leadsFrom } from "./handoffs.ts";
import type { Ending } from "./holding.ts";
import { handoffsIn, SIGNAL_ID_MAX } from "./signal.ts";

const RESOLUTIONS = ["match", "terminal", "timeout"] as const;

/** The signal a result is about. Throws BAD_REQUEST. */
export function signalIdIn(body: Body): string {
  const id = textField(body, "signal_id") ?? "";
  if (id === "" || id.length > SIGNAL_ID_MAX) throw meshError("BAD_REQUEST", "Missing signal_id");
  return id;
}

/** How a result says that a signal ended. Throws BAD_REQUEST for an address that is none, or may not get the fee. */
export function endingIn(body: Body, unfair: ReadonlySet<string | undefined>): Ending {
  const destination = textField(body, "destination_wallet") ?? "";
  const resolvedBy = textField(body, "resolved_by") ?? "";
  const resolution = RESOLUTIONS.find((one) => one === (body.resolution ?? "match"));
  if (resolution === undefined) throw meshError("BAD_REQUEST", "Invalid field: resolution");
  if (resolvedBy.length > AGENT_ID_CODE_POINTS_MAX || resolvedBy.includes("\n")) {
    throw meshError("BAD_REQUEST", "Invalid field: resolved_by");
  }
  if (destination !== "" && (!isWallet(destination) || unfair.has(destination))) {
    throw meshError("BAD_REQUEST", "Invalid field: destination_wallet");
  }
  return { resolution, destination, resolvedBy };
}

/**
 * Decides whether who tells the end of a signal may. Where the holder we chose signs, the end is signed by somebody the
 * signatures of the chain lead to. Where it is of the first generation nothing is signed, and what it tells is taken
 * (mesh.md 13); a signature that is there all the same must be right. Throws FORBIDDEN.
 */
export async function checkTeller(
  held: HeldSignal,
  body: Body,
  self: string,
  verifier: Verifier,
  nowMs: number,
): Promise<void> {
  if (held.state === "open") throw meshError("FORBIDDEN", "Nobody was handed this signal yet.");
  const signature = textField(body, "signature_hex")?.toLowerCase();
  if (signature === undefined) {
    if (held.mustBeSigned) throw meshError("FORBIDDEN", "The end of this signal must be signed.");
    return;
  }
  const key = textField(body, "from_public_key_hex")?.toLowerCase() ?? "";
  const timestamp = textField(body, "timestamp") ?? "";
  const text = antimatterResultText({
    signalId: held.signal.signal_id,
    destinationWallet: textField(body, "destination_wallet") ?? "",
    resolvedBy: textField(body, "resolved_by") ?? "",
    resolution: textField(body, "resolution") ?? "",
    timestamp,
  });
  if (!isAdmissibleKey(key) || text === undefined || !(await verifier.verify(key, text, signature))) {
    throw meshError("FORBIDDEN", "Invalid signature");
  }
  if (!isFresh(timestamp, nowMs)) throw meshError("FORBIDDEN", "Timestamp too old — possible replay");
  if (!held.mustBeSigned) return;
  const handoffs = handoffsIn(body.handoffs);
  const isOurChoice = handoffs[0]?.to === held.handedTo;
  if (!isOurChoice || !(await leadsFrom(handoffs, { from: self, to: key, signal: held.signal }, verifier))) {
    throw meshError("FORBIDDEN", "The signal was never handed to who signed this.");
  }
}
