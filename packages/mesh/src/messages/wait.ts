import { type Json, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { ToolCall } from "@darkmatter/surface";
import { PEER_WORDS } from "../answers.ts";
import { meshError } from "../errors.ts";
import type { Services } from "../services.ts";
import { readResponses } from "../webhooks/webhooks.store.ts";
import { readSent } from "./sent.store.ts";

/** A client that asked for progress hears that we still wait, so that it does not give up. */
const PROGRESS_EVERY_MS = 10 * SECOND_MS;

/** Waits until a message of ours is answered or expires, or the time is over. Holds up nothing else. */
export async function waitForResponse(
  services: Services,
  messageId: string,
  timeoutSeconds: number,
  call: ToolCall,
): Promise<JsonObject> {
  const { clock } = services.ports;
  const startMs = clock.monotonic();
  const timeoutMs = timeoutSeconds * SECOND_MS;

  for (;;) {
    const leftMs = timeoutMs - (clock.monotonic() - startMs);
    const stop = AbortSignal.any([
      call.signal,
      clock.deadline(Math.max(0, Math.min(leftMs, PROGRESS_EVERY_MS))),
    ]);
    // Registered before we look: what comes in between wakes us.
    const touched = services.waiting.next(messageId, stop).catch((error: unknown) => error);
    const outcome = await settled(services, messageId);
    if (outcome) return outcome;
    await touched;
    call.signal.throwIfAborted();
    const waitedMs = clock.monotonic() - startMs;
    if (waitedMs >= timeoutMs) {
      return (await settled(services, messageId)) ?? timedOut(messageId, timeoutSeconds);
    }
    await call.progress(waitedMs / SECOND_MS, timeoutSeconds, "Waiting for a response");
  }
}

async function settled({ db }: Services, messageId: string): Promise<JsonObject | undefined> {
  const sent = await readSent(db, messageId);
  if (!sent) throw meshError("NOT_FOUND", `No sent message with ID '${messageId.slice(0, 128)}'.`);
  const responses = (await readResponses(db, messageId)) as unknown as Json[];
  const state = { message_id: messageId, status: sent.status, responses };
  if (responses.length > 0) return { success: true, ...state, peer_words: PEER_WORDS };
  return sent.status === "expired" ? { success: false, ...state, reason: "message_expired" } : undefined;
}

function timedOut(messageId: string, timeoutSeconds: number): JsonObject {
  return {
    success: false,
    message_id: messageId,
    reason: "timeout",
    timeout_seconds: timeoutSeconds,
    next_step: "The message stays open: call this again, or look later with darkmatter_get_sent_message.",
  };
}
