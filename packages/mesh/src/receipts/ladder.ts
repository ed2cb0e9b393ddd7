import { isoTime, type JsonObject } from "@darkmatter/core";
import { RUNGS, type Rung } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { QueuedCopy } from "../messages/copy.ts";
import type { SentMessage } from "../messages/message.ts";
import { readCopies } from "../messages/outbox.store.ts";
import type { Response, Update } from "../webhooks/webhook.ts";
import { readResponses, readUpdates } from "../webhooks/webhooks.store.ts";
import { holdersOf } from "./receipt.ts";
import { type KeptReceipt, readReceipts } from "./receipts.store.ts";

/** `signed`: by the agent itself. The rest is what we know, or what it said without a signature. */
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
  /** Our side of it; `undefined` for an agent that another one passed it on to. */
  readonly copy: QueuedCopy | undefined;
}

/** One ladder for each agent that can have the message: its targets, then those it was passed on to. */
export async function readLadders(tx: Read, sent: SentMessage, self: string): Promise<Ladder[]> {
  const { messageId } = sent;
  const receipts = await readReceipts(tx, messageId);
  const updates = await readUpdates(tx, messageId);
  const responses = await readResponses(tx, messageId);
  const copies = await readCopies(tx, messageId);
  return [...holdersOf(sent, updates, self).keys()].map((agentId) => {
    const given = receipts.filter((receipt) => receipt.agentId === agentId).map(stepOf);
    const copy = copies.find((one) => one.agentId === agentId);
    const own = sent.targets.includes(agentId) ? ownSteps(sent, copy) : [];
    const isOf = (said: { readonly agent_id: string }) => said.agent_id === agentId;
    const said = [...updates.filter(isOf).map(saidBy), ...responses.filter(isOf).map(answered)];
    return { agentId, steps: ordered([...given, ...own, ...said]), copy };
  });
}

const stepOf = ({ rung, at, detail, commit }: KeptReceipt): Step => ({
  rung,
  at,
  detail,
  commit,
  signed: true,
});

const unsigned = (rung: Step["rung"], at: string, detail: string | null = null): Step => ({
  rung,
  at,
  detail,
  commit: null,
  signed: false,
});

/** The first word of each rung, the signed ones before others, in the order of the ladder. */
function ordered(steps: readonly Step[]): Step[] {
  const first = steps.filter(({ rung }, at) => steps.findIndex((other) => other.rung === rung) === at);
  const order: readonly Step["rung"][] = ["queued", "sent", ...RUNGS];
  return first.sort((one, other) => order.indexOf(one.rung) - order.indexOf(other.rung));
}

/** What we know ourselves; that an agent of the first generation has it, by its `200` alone. */
function ownSteps({ createdAt }: SentMessage, copy: QueuedCopy | undefined): Step[] {
  const steps = [unsigned("queued", createdAt)];
  if (copy?.leftAtMs != null) steps.push(unsigned("sent", isoTime(copy.leftAtMs)));
  if (copy?.endedAtMs != null && copy.state !== "sent" && copy.state !== "queued") {
    steps.push(unsigned(copy.state, isoTime(copy.endedAtMs), copy.why));
  }
  return steps;
}

/** What agents that give no receipts say by the webhook (mesh.md 5.3). */
function saidBy(update: Update): Step {
  const { timestamp } = update;
  if (update.type === "expired") return unsigned("expired", timestamp, update.note);
  if (update.type === "forwarded") return unsigned("acted", timestamp, "forwarded");
  return unsigned(update.type === "received" ? "stored" : "read", timestamp);
}

const answered = ({ timestamp }: Response): Step => unsigned("acted", timestamp, "replied");

/** Whether a ladder holds words that its agent chose. */
export function isQuoting({ steps }: Ladder): boolean {
  return steps.some(({ detail }) => detail !== null);
}

export function shownLadders(ladders: readonly Ladder[]): JsonObject[] {
  return ladders.map(({ agentId, steps, copy }) => ({
    agent_id: agentId,
    rungs: steps.map((step) => ({ ...step })),
    ...(copy && shownCopy(copy)),
  }));
}

/** How it was brought there so far, and when that is tried again. */
function shownCopy({ attempts, way, nextAtMs, why }: QueuedCopy): JsonObject {
  return {
    attempts,
    transport: way,
    next_attempt: nextAtMs === null ? null : isoTime(nextAtMs),
    ...(why !== null && { last_error: why }),
  };
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
