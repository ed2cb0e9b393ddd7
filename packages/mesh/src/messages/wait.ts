import { hasCode, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { ToolCall } from "@darkmatter/surface";
import { PEER_WORDS } from "../answers.ts";
import { meshError } from "../errors.ts";
import { OVER } from "../over.ts";
import { isQuoting, readLadders, shownLadders, stateOf } from "../receipts/ladder.ts";
import type { Services } from "../services.ts";
import { shownResponses } from "../webhooks/webhook.ts";
import { readResponses } from "../webhooks/webhooks.store.ts";
import { readSent } from "./sent.store.ts";

/** A client that asked for progress hears that we still wait, so that it does not give up. */
const PROGRESS_EVERY_MS = 10 * SECOND_MS;

/** What is waited for. */
export interface Awaited {
  /** Where `waiting` tells that it may have come. */
  readonly key: string;
  /** What there is by now; `undefined` when that is nothing yet. */
  look(): Promise<JsonObject | undefined>;
  /** For a client that asked for progress. */
  readonly notice: string;
}

/** Waits until a message of ours is answered or expires, or the time is over. Holds up nothing else. */
export async function waitForResponse(
  services: Services,
  messageId: string,
  timeoutSeconds: number,
  call: ToolCall,
): Promise<JsonObject> {
  const look = () => settled(services, messageId);
  const awaited = { key: messageId, look, notice: "Waiting for a response" };
  const outcome = await waitFor(services, awaited, timeoutSeconds, call);
  if (outcome) return outcome;
  const known = await knownNow(services, messageId);
  return (await look()) ?? timedOut(messageId, timeoutSeconds, known);
}

/** What is waited for, as soon as it is there; `undefined` when the time is over. Throws TOO_MANY. */
export async function waitFor(
  services: Services,
  awaited: Awaited,
  timeoutSeconds: number,
  call: ToolCall,
): Promise<JsonObject | undefined> {
  const { clock } = services.ports;
  const startMs = clock.monotonic();
  const timeoutMs = timeoutSeconds * SECOND_MS;
  let noticeMs = PROGRESS_EVERY_MS;

  for (;;) {
    const beforeMs = clock.monotonic() - startMs;
    const leftMs = timeoutMs - beforeMs;
    const untilNoticeMs = noticeMs - beforeMs;
    // A timer may end a little early: what the clock says afterwards does not tell.
    const isLast = leftMs <= untilNoticeMs;
    const pause = clock.deadline(Math.max(0, Math.min(leftMs, untilNoticeMs)));
    const outcome = await touchedOr(services, awaited, AbortSignal.any([call.signal, pause]));
    if (outcome) return outcome;
    call.signal.throwIfAborted();
    // A receipt touches the message too, which is no reason to tell the client that we still wait.
    if (!pause.aborted) continue;
    if (isLast) return undefined;
    noticeMs += PROGRESS_EVERY_MS;
    const waitedMs = clock.monotonic() - startMs;
    await call.progress(waitedMs / SECOND_MS, timeoutSeconds, awaited.notice);
  }
}

/** Returns when it is there, touched, or `stop` aborts. Throws TOO_MANY when nobody else may wait. */
async function touchedOr(
  { waiting }: Services,
  { key, look }: Awaited,
  stop: AbortSignal,
): Promise<JsonObject | undefined> {
  const leave = new AbortController();
  // Registered before we look: what comes in between wakes us.
  const touched = waiting.next(key, AbortSignal.any([stop, leave.signal])).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  try {
    const outcome = await look();
    if (outcome) return outcome;
    const reason = await touched;
    if (hasCode(reason, "TOO_MANY")) throw reason;
    return undefined;
  } finally {
    // Otherwise the place stays taken until the pause is over.
    leave.abort(OVER);
  }
}

async function settled({ db }: Services, messageId: string): Promise<JsonObject | undefined> {
  const sent = await readSent(db, messageId);
  if (!sent) throw meshError("NOT_FOUND", `No sent message with ID '${messageId.slice(0, 128)}'.`);
  const responses = shownResponses(await readResponses(db, messageId));
  const state = { message_id: messageId, status: sent.status, responses };
  if (responses.length > 0) return { success: true, ...state, peer_words: PEER_WORDS };
  return sent.status === "expired" ? { success: false, ...state, reason: "message_expired" } : undefined;
}

/** How far the message came, and with whom. */
async function knownNow({ db, ports }: Services, messageId: string): Promise<JsonObject> {
  const sent = await readSent(db, messageId);
  if (!sent) return {};
  const ladders = await readLadders(db, sent, ports.signer.agentId);
  const quotes = ladders.some(isQuoting) && { peer_words: PEER_WORDS };
  return { state: stateOf(ladders), ladder: shownLadders(ladders), ...quotes };
}

function timedOut(messageId: string, timeoutSeconds: number, known: JsonObject): JsonObject {
  return {
    success: false,
    message_id: messageId,
    reason: "timeout",
    timeout_seconds: timeoutSeconds,
    ...known,
    next_step: "The message stays open: call this again, or look later with darkmatter_get_sent_message.",
  };
}
