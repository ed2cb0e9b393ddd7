import { isAdmissibleKey, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { z } from "zod";
import { CONTENT_CODE_POINTS_MAX } from "../messages/message.ts";
import type { StoredMessage } from "../messages/stored.ts";
import type { MeshPorts } from "../ports.ts";
import type { RouterMode } from "../settings.ts";
import type { Decision } from "./decision.ts";

/** How long one router of the owner's may take. */
export const CUSTOM_ROUTER_MS = 5 * SECOND_MS;

/** A message as a router of the owner's is shown it: its own copy. */
export interface ShownMessage {
  readonly message_id: string;
  readonly from_agent_id: string;
  readonly content: string;
  readonly metadata: JsonObject;
  readonly hops_remaining: number;
}

export interface RouterContext {
  readonly mode: RouterMode;
  /** Whether the sender is connected, and our score of it. */
  readonly connected: boolean;
  readonly score: number;
  /** Aborts when the answer is awaited no longer. */
  readonly signal: AbortSignal;
  /** What the node's own rules and mode say. */
  decide(): ShownDecision | null;
}

/** A decision as routers of the owner's give and get it; `pass` and `null` leave it to the next. */
export interface ShownDecision {
  readonly action: "handle" | "forward" | "respond" | "drop" | "pass";
  readonly forward_to?: readonly string[] | undefined;
  readonly response?: string | null | undefined;
  readonly reason?: string | undefined;
}

export type CustomRouter = (
  message: ShownMessage,
  context: RouterContext,
) => ShownDecision | null | undefined | Promise<ShownDecision | null | undefined>;

/** The owner's own routers (`DARKMATTER_ROUTER`), tried in their order. */
export interface CustomRouting {
  readonly routers: readonly CustomRouter[];
  /** Nothing comes after them: what they all pass stays queued. */
  readonly replaces: boolean;
}

const Given = z.object({
  action: z.enum(["handle", "forward", "respond", "drop", "pass"]),
  forward_to: z.array(z.string().refine(isAdmissibleKey)).max(50).default([]),
  response: z.string().max(CONTENT_CODE_POINTS_MAX).nullish(),
  reason: z.string().max(1000).default("Custom router"),
});

/**
 * The first decision of the owner's routers. One that throws, takes too long or answers what is no decision is
 * reported and skipped.
 */
export async function askCustom(
  { clock, report }: Pick<MeshPorts, "clock" | "report">,
  { routers }: CustomRouting,
  message: StoredMessage,
  known: { readonly mode: RouterMode; readonly decide: () => Decision | null },
): Promise<Decision | null> {
  for (const [at, router] of routers.entries()) {
    const tooLong = clock.deadline(CUSTOM_ROUTER_MS);
    const context: RouterContext = {
      mode: known.mode,
      connected: message.connected,
      score: message.score,
      signal: tooLong,
      decide: () => shownDecision(known.decide()),
    };
    try {
      const given = await before(tooLong, async () => router(shownMessage(message), context));
      const decision = given == null ? null : decisionOf(Given.parse(given));
      if (decision) return decision;
    } catch (error) {
      // Not its words: a router may quote the message in them.
      const reason = tooLong.aborted ? "took too long" : error instanceof Error ? error.name : "threw";
      report("router.custom-failed", { router: at, reason });
    }
  }
  return null;
}

function before<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work().then(resolve, reject);
  });
}

function decisionOf({ action, forward_to: forwardTo, response, reason }: z.output<typeof Given>) {
  return action === "pass"
    ? null
    : ({ action, forwardTo, response: response ?? null, reason, by: "custom" } as const);
}

const shownMessage = ({
  messageId,
  from,
  content,
  metadata,
  hopsRemaining,
}: StoredMessage): ShownMessage => ({
  message_id: messageId,
  from_agent_id: from,
  content,
  metadata: structuredClone(metadata) as JsonObject,
  hops_remaining: hopsRemaining,
});

const shownDecision = (decision: Decision | null): ShownDecision | null =>
  decision && {
    action: decision.action,
    forward_to: [...decision.forwardTo],
    response: decision.response,
    reason: decision.reason,
  };
