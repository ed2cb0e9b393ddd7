import { type Answerable, jsonText } from "../json-text.ts";
import { readStanding } from "./assurance.ts";
import type { Step } from "./chain-step.ts";
import type { ChainPorts } from "./chains.ts";
import { judgeChain } from "./judged.ts";
import type { Verdict } from "./verdict.ts";
import { eventTypeOf, listOf, replayStep, shortId } from "./views.ts";

export interface ReplayWishes {
  readonly mode: "full" | "summary";
  readonly limit: number;
  /** The first step shown, from 1. */
  readonly from: number;
}

/** Payloads of one answer, but for a single larger one. */
const REPLAY_BYTES = 32_000_000;
export const REPLAY_STEPS_MAX = 1000;

/** A chain, step by step (ledger.md 3.2); `undefined` for any id that is not this account's. */
export async function replayOf(
  ports: ChainPorts & { readonly config: { readonly baseUrl: string } },
  account: number,
  id: string,
  { mode, limit, from }: ReplayWishes,
): Promise<{ readonly [name: string]: Answerable | undefined } | undefined> {
  const around = {
    baseUrl: ports.config.baseUrl,
    nowMs: ports.clock.now(),
    standing: await readStanding(ports.db),
  };
  const texts: string[] = [];
  const summary = createSummary();
  let characters = 0;
  let isFull = false;
  const judged = await judgeChain(ports, account, id, (step) => {
    summary.add(step);
    if (step.index + 1 < from || isFull) return;
    const text = jsonText(replayStep(step, mode === "full", around));
    isFull = texts.length === limit || (texts.length > 0 && characters + text.length > REPLAY_BYTES);
    if (isFull) return;
    texts.push(text);
    characters += text.length;
  });
  if (!judged) return undefined;
  const { verdict } = judged;
  const next = from + texts.length;
  const isTruncated = from > 1 || next <= verdict.length;
  return {
    contextId: id,
    shortId: shortId(id),
    rootId: verdict.rootId,
    totalSteps: verdict.length,
    chainIntact: verdict.isIntact,
    brokenChainPolicy: "permissive",
    mode,
    replay: listOf(texts),
    summary: summary.result(),
    chainWarning: verdict.isIntact ? undefined : warningOf(verdict),
    truncated: isTruncated ? true : undefined,
    nextCursor: isTruncated ? (next <= verdict.length ? String(next) : null) : undefined,
  };
}

const warningOf = ({ brokenAt, reason }: Verdict): string =>
  `The chain does not verify${brokenAt === null ? "" : ` at ${brokenAt}`}: ${reason}.`;

/** What a chain holds, whichever steps of it are shown. */
function createSummary() {
  const [agents, models, eventTypes] = [new Set<string>(), new Set<string>(), new Set<string>()];
  let forkPoints = 0;
  let [firstMs, lastMs] = [Number.NaN, Number.NaN];
  return {
    add(step: Step): void {
      if (step.kind === "unreadable") return;
      const { commit } = step;
      agents.add(commit.agentName);
      if (commit.model !== null) models.add(commit.model);
      eventTypes.add(eventTypeOf(commit));
      if (commit.forkOf !== null) forkPoints++;
      if (Number.isNaN(firstMs)) firstMs = commit.acceptedMs;
      lastMs = commit.acceptedMs;
    },
    result() {
      const seconds = Number.isNaN(firstMs) ? 0 : Math.round((lastMs - firstMs) / 1000);
      return {
        agents: [...agents],
        models: [...models],
        eventTypes: [...eventTypes],
        forkPoints,
        duration: `${seconds}s`,
      };
    },
  };
}
