import { DAY_MS, HOUR_MS, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { isHash, type Rung } from "@darkmatter/proof";
import type { SentMessage } from "../messages/message.ts";
import type { Update } from "../webhooks/webhook.ts";

/**
 * Receipts kept of one message of ours, those of its targets aside (mesh.md 22.2): a target has a place for each rung,
 * however many they are, and whom others name can take none of those.
 */
export const RECEIPTS_MAX = 50;
/** How long a sender that cannot be reached is told of a rung again. */
export const RECEIPT_DUE_MS = DAY_MS;
/** The same for one we are not connected to: the webhook it names may be anybody's. */
export const STRANGERS_RECEIPT_DUE_MS = HOUR_MS;
/** The pause before it is told again, which doubles up to the most: a webhook may be somebody else's, and busy. */
export const RECEIPT_PAUSE_MS = 30 * SECOND_MS;
export const RECEIPT_PAUSE_MAX_MS = 10 * MINUTE_MS;
/** Rungs that wait to be told; beyond it the oldest of whoever has most is forgotten. */
export const RECEIPTS_DUE_MAX = 500;

/** Whether whoever wrote a message wants to hear what becomes of it. */
export function asksReceipts(metadata: JsonObject): boolean {
  return metadata.receipts === 1;
}

/** Who wrote a message, as far as its metadata says; without it, who brought it. */
export function authorOf({ from, metadata }: { readonly from: string; readonly metadata: JsonObject }) {
  return isHash(metadata.origin_agent_id) ? metadata.origin_agent_id : from;
}

/** Whom the ledger names for a message: an agent by its key, nobody for a caller that is none. */
export const agentOrNull = (from: string): string | null => (isHash(from) ? from : null);

/** The commit by which the sender recorded a message, when it told (mesh.md 22.5). */
export function commitOf({ commit }: JsonObject): string | undefined {
  return isHash(commit) ? commit : undefined;
}

/** What became of a message here: a receipt before it is signed, with what else its signature covers. */
export interface GivenRung {
  readonly messageId: string;
  /** Who brought the message. */
  readonly from: string;
  /** H(content). */
  readonly contentHash: string;
  readonly rung: Rung;
  readonly atMs: number;
  readonly commit: string | null;
  readonly detail: string | null;
}

/**
 * Who can have a message of ours, and from whom: its targets from us, and whom a holder says it passed it on to from
 * that holder. What holders say of each other is unsigned, so that only their order can be held against them.
 */
export function holdersOf(
  sent: Pick<SentMessage, "targets">,
  updates: readonly Update[],
  self: string,
): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>(sent.targets.map((agentId) => [agentId, [self]]));
  for (const update of updates) {
    if (update.type !== "forwarded" || !holders.has(update.agent_id)) continue;
    const { agent_id: from, target_agent_id: to } = update;
    if (!isHash(to)) continue;
    const bringers = holders.get(to) ?? [];
    if (!bringers.includes(from) && bringers.length < BRINGERS_MAX) bringers.push(from);
    holders.set(to, bringers);
  }
  return holders;
}

/** Of one holder: each costs a verification when a receipt does not verify. */
const BRINGERS_MAX = 8;
