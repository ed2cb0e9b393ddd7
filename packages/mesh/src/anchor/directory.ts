import { AgentId, DAY_MS, exceedsCodePoints, isFresh, parseTime } from "@darkmatter/core";
import { peerUpdateText, type Verifier } from "@darkmatter/identity";
import { validateUrl } from "@darkmatter/net";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import { AGENT_ID_CODE_POINTS_MAX, type Body, lineField, textField } from "../fields.ts";
import {
  countRegistrations,
  forgetSilent,
  type Registration,
  readRegistration,
  saveRegistration,
} from "./anchor.store.ts";

export const REGISTRATIONS_MAX = 10_000;
/** Where an agent was longer ago than this is not told. */
const SEEN_WITHIN_MS = DAY_MS;

/** Reads and verifies a registration. The order of refusals is the wire's (mesh.md 5.8). */
export async function checkRegistration(
  body: Body,
  verifier: Verifier,
  nowMs: number,
): Promise<Registration> {
  const agentId = lineField(body, "agent_id");
  const url = lineField(body, "new_url");
  if (!agentId || !url) throw meshError("BAD_REQUEST", "Missing agent_id or new_url");
  const wrong = validateUrl(url);
  if (wrong) throw meshError("BAD_REQUEST", wrong);
  if (exceedsCodePoints(agentId, AGENT_ID_CODE_POINTS_MAX))
    throw meshError("BAD_REQUEST", "agent_id too long");
  const key = textField(body, "public_key_hex");
  const signature = textField(body, "signature");
  const timestamp = lineField(body, "timestamp");
  if (!key || !signature || !timestamp) {
    throw meshError("BAD_REQUEST", "Missing public_key_hex, signature, or timestamp");
  }
  if (!isFresh(timestamp, nowMs)) throw meshError("FORBIDDEN", "Timestamp expired or invalid");
  // The id is the key: nobody registers, and later drains, what is another's (S1).
  if (!AgentId.safeParse(agentId).success || key.toLowerCase() !== agentId) {
    throw meshError("FORBIDDEN", "Public key mismatch");
  }
  const text = peerUpdateText({ agentId, newUrl: url, timestamp });
  if (text === undefined || !(await verifier.verify(agentId, text, signature))) {
    throw meshError("FORBIDDEN", "Invalid signature");
  }
  return { agentId, url, signedMs: parseTime(timestamp) ?? nowMs, seenMs: nowMs };
}

/**
 * Whether the agent is new here. @throws TOO_MANY when there is no room for another, FORBIDDEN for one older than what
 * the agent said last: somebody else repeats it.
 */
export async function register(tx: Write, registration: Registration): Promise<boolean> {
  const before = await readRegistration(tx, registration.agentId);
  if (before && registration.signedMs < before.signedMs) {
    throw meshError("FORBIDDEN", "A newer update of this agent is registered");
  }
  const isNew = !before;
  if (isNew && (await countRegistrations(tx)) >= REGISTRATIONS_MAX) {
    await forgetSilent(tx, registration.seenMs - SEEN_WITHIN_MS);
    if ((await countRegistrations(tx)) >= REGISTRATIONS_MAX) throw meshError("TOO_MANY", "Registry full");
  }
  await saveRegistration(tx, registration);
  return isNew;
}

/** Where an agent is, if it said so within a day. */
export async function lookUp(tx: Read, agentId: string, nowMs: number): Promise<Registration | undefined> {
  const found = await readRegistration(tx, agentId);
  return found && nowMs - found.seenMs <= SEEN_WITHIN_MS ? found : undefined;
}
