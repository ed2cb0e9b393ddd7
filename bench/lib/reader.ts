import { setTimeout as sleep } from "node:timers/promises";
import type { AgentSession } from "./session.ts";

/** An agent that reads its inbox, message by message. */
export interface Reader extends AsyncDisposable {
  /** Messages read whole. */
  readonly read: number;
  /** Reads until `until` is settled. */
  readWhile<T>(until: Promise<T>): Promise<T>;
}

interface Page {
  readonly messages: readonly { readonly message_id: string; readonly read: boolean }[];
}

/** After each message: a hundred a second is far more than any agent reads. */
const PAUSE_MS = 10;

/** Lists the inbox over and over and reads each new message whole, which makes room for others. */
export function startReader(session: AgentSession): Reader {
  let read = 0;

  async function readSome(stopped: () => boolean): Promise<void> {
    const { messages } = (await session.call("darkmatter_list_inbox")) as unknown as Page;
    const fresh = messages.filter((message) => !message.read);
    for (const { message_id } of fresh) {
      if (stopped()) return;
      await session.call("darkmatter_get_message", { message_id });
      read++;
      await sleep(PAUSE_MS);
    }
    if (fresh.length === 0) await sleep(PAUSE_MS);
  }

  return {
    get read() {
      return read;
    },
    async readWhile(until) {
      let over = false;
      const settled = () => {
        over = true;
      };
      until.then(settled, settled);
      while (!over) await readSome(() => over);
      return until;
    },
    async [Symbol.asyncDispose]() {
      session.child.stdin?.end();
      await session.ended;
    },
  };
}
