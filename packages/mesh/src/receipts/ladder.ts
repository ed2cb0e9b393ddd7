import type { JsonObject } from "@darkmatter/core";
import { RUNGS, type Rung } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { SentMessage } from "../messages/message.ts";
import { readUpdates } from "../webhooks/webhooks.store.ts";
import { holdersOf } from "./receipt.ts";
import { type KeptReceipt, readReceipts } from "./receipts.store.ts";

/** `queued` and `sent` are what we know ourselves; the rest was signed by who has the message. */
interface Step {
  readonly rung: "queued" | "sent" | Rung;
  readonly at: string;
  readonly detail: string | null;
  readonly commit: string | null;
  readonly signed: boolean;
}

/** How far a message of ours came with one agent, in the order of the ladder (mesh.md 22.2). */
export interface Ladder {
  readonly agentId: string;
  readonly steps: readonly Step[];
}

/** One ladder for each agent that can have the message: its targets, then those it was passed on to. */
export async function readLadders(tx: Read, sent: SentMessage, self: string): Promise<Ladder[]> {
  const receipts = await readReceipts(tx, sent.messageId);
  const holders = holdersOf(sent, await readUpdates(tx, sent.messageId), self);
  return [...holders.keys()].map((agentId) => {
    const given = receipts
      .filter((receipt) => receipt.agentId === agentId)
      .sort((one, other) => RUNGS.indexOf(one.rung) - RUNGS.indexOf(other.rung));
    return { agentId, steps: [...ownSteps(sent, agentId), ...given.map(stepOf)] };
  });
}

const stepOf = ({ rung, at, detail, commit }: KeptReceipt): Step => ({
  rung,
  at,
  detail,
  commit,
  signed: true,
});

function ownSteps({ targets, copies, createdAt }: SentMessage, agentId: string): Step[] {
  if (!targets.includes(agentId)) return [];
  const unsigned = { detail: null, commit: null, signed: false };
  const queued: Step = { rung: "queued", at: createdAt, ...unsigned };
  const sentAt = copies[agentId]?.sentAt;
  return sentAt ? [queued, { rung: "sent", at: sentAt, ...unsigned }] : [queued];
}

/** Whether a ladder holds words that its agent chose. */
export function isQuoting({ steps }: Ladder): boolean {
  return steps.some(({ detail }) => detail !== null);
}

export function shownLadders(ladders: readonly Ladder[]): JsonObject[] {
  return ladders.map(({ agentId, steps }) => ({
    agent_id: agentId,
    rungs: steps.map((step) => ({ ...step })),
  }));
}

const WORDS = {
  queued: "queued for",
  sent: "sent to",
  stored: "stored by",
  asked: "asked at",
  woken: "woken at",
  read: "read by",
  acted: "acted on by",
  refused: "refused by",
  expired: "expired at",
} as const;
/** From the least to the furthest; among several agents one that has the message counts for more than one that let it go. */
const ORDER = ["queued", "sent", "refused", "expired", "stored", "asked", "woken", "read", "acted"] as const;

/** How far the message came, such as `read by 1 of 2`. */
export function stateOf(ladders: readonly Ladder[]): string {
  const furthest = ladders
    .flatMap(({ steps }) => steps.at(-1)?.rung ?? [])
    .map((rung) => ORDER.indexOf(rung));
  const best = Math.max(-1, ...furthest);
  const rung = ORDER[best];
  if (rung === undefined) return "for nobody";
  return `${WORDS[rung]} ${furthest.filter((one) => one === best).length} of ${ladders.length}`;
}
