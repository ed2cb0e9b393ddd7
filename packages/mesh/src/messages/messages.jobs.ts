import { DAY_MS, SECOND_MS } from "@darkmatter/core";
import { forgetOnce } from "@darkmatter/store";
import type { Job } from "@darkmatter/surface";
import { pruneEntries } from "../conversation/conversation.store.ts";
import { CONVERSATION_ENTRIES_MAX } from "../conversation/entry.ts";
import type { Services } from "../services.ts";
import { INBOX_LIFETIME_MS, INBOX_READ_MAX, SENT_MESSAGES_MAX } from "./message.ts";
import { pruneInbox } from "./messages.store.ts";
import { seenMessages } from "./seen.ts";
import { pruneSent } from "./sent.store.ts";

export function messageJobs({ db, ports, replying, changed }: Services): Job[] {
  const { clock } = ports;
  return [
    {
      name: "messages.purge",
      periodMs: 30 * SECOND_MS,
      atStart: true,
      async run() {
        await db.write(async (tx) => {
          const gone = await pruneInbox(tx, clock.now() - INBOX_LIFETIME_MS, INBOX_READ_MAX);
          await seenMessages.prune(tx, clock.now());
          await pruneSent(tx, SENT_MESSAGES_MAX);
          await pruneEntries(tx, CONVERSATION_ENTRIES_MAX);
          await forgetOnce(tx, clock.now(), DAY_MS);
          if (gone > 0) tx.afterCommit(changed);
        });
      },
    },
    { name: "messages.finish-answers", periodMs: 5 * SECOND_MS, atStart: true, run: () => replying.finish() },
  ];
}
