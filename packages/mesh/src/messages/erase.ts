import type { Write } from "@darkmatter/store";
import { eraseA2aWords } from "../a2a/tasks.store.ts";
import { eraseEntries } from "../conversation/conversation.store.ts";
import { eraseNotices } from "../payments/notices.store.ts";
import { eraseDetails, forgetDue } from "../receipts/receipts.store.ts";
import { eraseResponses, eraseUpdates } from "../webhooks/webhooks.store.ts";
import { deleteInbox } from "./messages.store.ts";
import { eraseCopies } from "./outbox.store.ts";
import { eraseSent } from "./sent.store.ts";

/** What stands where words were. */
export const ERASED = "[erased]";

/**
 * Removes what was said in a message and its answers. One that waits leaves the inbox: nobody can answer what is not
 * there. One of ours is closed. How many rows were changed: 0 the second time.
 */
export async function erase(tx: Write, messageId: string, nowMs: number): Promise<number> {
  const waiting = (await deleteInbox(tx, messageId)) ? 1 : 0;
  const sent = await eraseSent(tx, messageId, ERASED);
  const responses = await eraseResponses(tx, messageId, ERASED);
  const notes = await eraseUpdates(tx, messageId);
  const entries = await eraseEntries(tx, messageId, ERASED);
  const details = await eraseDetails(tx, messageId);
  // A receipt still to be told holds the hash of the content, by which guesses could be tested.
  await forgetDue(tx, messageId);
  const copies = await eraseCopies(tx, messageId, nowMs);
  const tasks = await eraseA2aWords(tx, messageId, ERASED);
  const notices = await eraseNotices(tx, messageId);
  return notices + tasks + copies + waiting + sent + responses + notes + entries + details;
}
