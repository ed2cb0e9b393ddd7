import { DAY_MS, isoTime, SECOND_MS } from "@darkmatter/core";
import { forgetOnce, seenIds } from "@darkmatter/store";
import type { Job } from "@darkmatter/surface";
import { pruneEntries } from "../conversation/conversation.store.ts";
import { CONVERSATION_ENTRIES_MAX } from "../conversation/entry.ts";
import type { Services } from "../services.ts";
import { ANSWER_LIFETIME_MS, INBOX_LIFETIME_MS, INBOX_READ_MAX, SENT_MESSAGES_MAX } from "./message.ts";
import { deleteInbox, pruneInbox, readExpiring } from "./messages.store.ts";
import { pruneNotes } from "./notes.store.ts";
import { pruneCopies } from "./outbox.store.ts";
import { pruneSent } from "./sent.store.ts";

/** Messages whose authors are told of their end in one transaction. */
const EXPIRED_AT_ONCE = 100;

export function messageJobs(services: Services): Job[] {
  const { db, ports, replying, outbox, changed } = services;
  const { clock } = ports;
  return [
    {
      name: "messages.purge",
      periodMs: 30 * SECOND_MS,
      atStart: true,
      async run() {
        await outbox.expire();
        while ((await expireSome(services)) === EXPIRED_AT_ONCE);
        await db.write(async (tx) => {
          const now = clock.now();
          const gone = await pruneInbox(
            tx,
            now - INBOX_LIFETIME_MS,
            now - ANSWER_LIFETIME_MS,
            INBOX_READ_MAX,
          );
          await seenIds.prune(tx, now);
          await pruneSent(tx, SENT_MESSAGES_MAX);
          await pruneCopies(tx, now - DAY_MS);
          await pruneNotes(tx, isoTime(now - DAY_MS));
          await pruneEntries(tx, CONVERSATION_ENTRIES_MAX);
          await forgetOnce(tx, now, DAY_MS);
          if (gone > 0) tx.afterCommit(changed);
        });
      },
    },
    { name: "outbox.retry", periodMs: SECOND_MS, atStart: true, run: async () => outbox.retryDue() },
    { name: "messages.finish-answers", periodMs: 5 * SECOND_MS, atStart: true, run: () => replying.finish() },
  ];
}

/** Drops the oldest of what stayed unanswered for too long, where the author wants to hear of it; how many. */
function expireSome({ db, ports, giving, changed }: Services): Promise<number> {
  const before = ports.clock.now() - INBOX_LIFETIME_MS;
  return db.write(async (tx) => {
    const expiring = await readExpiring(tx, before, INBOX_READ_MAX, EXPIRED_AT_ONCE);
    for (const message of expiring) {
      await deleteInbox(tx, message.messageId);
      await giving.give(tx, message, "expired", "not answered");
    }
    if (expiring.length > 0) tx.afterCommit(changed);
    return expiring.length;
  });
}
