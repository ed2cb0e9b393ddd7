import { isoTime } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { COPY_LIFETIME_MS, type QueuedCopy } from "./copy.ts";
import { insertNote } from "./notes.store.ts";
import { endCopies, isLost, limitAges } from "./outbox.store.ts";
import { setStatus } from "./sent.store.ts";

/** Tells our own agent what became of a copy that nobody asks about any more. */
export async function noteEnd(
  tx: Write,
  { messageId, agentId, forwarded }: Pick<QueuedCopy, "messageId" | "agentId" | "forwarded">,
  what: string,
  nowMs: number,
): Promise<void> {
  const text = `${forwarded ? "A message you passed on" : "Your message"} ${what}`;
  await insertNote(tx, { at: isoTime(nowMs), messageId, agentId, text });
}

/** Closes a message of ours that no agent has or will get. Whether it did. */
async function closeLost(tx: Write, { messageId, forwarded }: QueuedCopy): Promise<boolean> {
  if (forwarded || !(await isLost(tx, messageId))) return false;
  await setStatus(tx, messageId, "expired");
  return true;
}

/** Gives up on copies that waited for a day. Which messages that closed. */
export async function expireCopies(tx: Write, nowMs: number): Promise<string[]> {
  const why = "its agent could not be reached for 24 hours";
  await limitAges(tx, nowMs);
  const ended = await endCopies(tx, { createdBeforeMs: nowMs - COPY_LIFETIME_MS }, why, nowMs);
  const closed: string[] = [];
  for (const copy of ended) {
    const unsure = copy.leftAtMs === null ? "did not arrive" : "may not have arrived";
    await noteEnd(tx, copy, `${unsure}: ${why}. It is not sent again.`, nowMs);
    if (await closeLost(tx, copy)) closed.push(copy.messageId);
  }
  return closed;
}

/** Ends what waits for an agent: the connection is over. `told`: our agent did not end it itself and hears of it. */
export async function endCopiesTo(tx: Write, agentId: string, told: boolean, nowMs: number): Promise<void> {
  const why = "the connection was ended";
  for (const copy of await endCopies(tx, { agentId }, why, nowMs)) {
    if (told) await noteEnd(tx, copy, `is not sent: ${why} by the other agent.`, nowMs);
    await closeLost(tx, copy);
  }
}

/** Ends what waits of a message: our agent withdrew it. */
export async function withdrawCopies(tx: Write, messageId: string, nowMs: number): Promise<void> {
  await endCopies(tx, { messageId }, "withdrawn", nowMs);
}
