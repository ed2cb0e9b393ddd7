import { setTimeout as sleep } from "node:timers/promises";
import type { AgentSession } from "./session.ts";

/** An agent that reads its inbox, message by message, as fast as it is answered. */
export interface Reader extends AsyncDisposable {
  /** Messages read whole. */
  readonly read: number;
  /** Reads until `until` is settled. */
  readWhile<T>(until: Promise<T>): Promise<T>;
}

interface Page {
  readonly messages: readonly { readonly message_id: string; readonly read: boolean }[];
}

const PAUSE_MS = 20;

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
