import type { Read } from "@darkmatter/store";
import { readStanding } from "../connections/connections.store.ts";
import { countRequests } from "../connections/requests.store.ts";
import { INBOX_PAGE_MAX } from "../messages/inbox.ts";
import { isControl } from "../messages/message.ts";
import { readInboxAll, readTally } from "../messages/messages.store.ts";
import { isPlainId } from "./ways.ts";

/** What waits for an agent, in numbers and ids: nothing that a peer wrote. */
export interface Unread {
  readonly messages: number;
  readonly requests: number;
  /**
   * Messages that may take an agent's time: of peers it is connected to and does not dislike, or trusts; none that nodes
   * tell each other.
   */
  readonly wanted: number;
  /** When the newest of those came (milliseconds since the epoch); 0 without one. */
  readonly newestAtMs: number;
  /** Their ids, where an id says nothing. */
  readonly ids: readonly string[];
}

const IDS_MAX = 5;

/** Whether a message of an agent that stands so with ours may wake it. */
export function mayWake(connected: boolean, score: number, minTrust: number): boolean {
  return score >= (connected ? 0 : minTrust);
}

/** Reads alone: a look at what waits is no reading of it. */
export async function readUnread(tx: Read, minTrust: number): Promise<Unread> {
  const unread = (await readInboxAll(tx, INBOX_PAGE_MAX)).filter(({ read }) => !read);
  const wanted = [];
  for (const message of unread) {
    if (isControl(message.metadata)) continue;
    const { connection, score, blocked } = await readStanding(tx, message.from);
    if (!blocked && mayWake(connection !== undefined, score, minTrust)) wanted.push(message);
  }
  return {
    messages: (await readTally(tx)).unread,
    requests: await countRequests(tx),
    wanted: wanted.length,
    newestAtMs: Math.max(0, ...wanted.map(({ receivedAtMs }) => receivedAtMs)),
    ids: wanted
      .map(({ messageId }) => messageId)
      .filter(isPlainId)
      .slice(0, IDS_MAX),
  };
}
