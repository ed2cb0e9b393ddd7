import { isExactObject, readExactJson, writeExactJson } from "@darkmatter/core";
import { payloadIn } from "../commits/passport.ts";
import { serverError } from "../errors.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import { createPace, type Pace } from "../pace.ts";
import type { Step } from "./chain-step.ts";
import { type Chain, type ChainPorts, openChain } from "./chains.ts";
import { judgeOpened } from "./judged.ts";
import type { Verdict } from "./verdict.ts";
import { eventTypeOf } from "./views.ts";

/** Payloads of both chains that one comparison may show. */
const DIFF_BYTES_MAX = 16_000_000;

/** A step as it is compared and shown. */
interface ComparedStep {
  readonly id: string;
  readonly model: string | null;
  readonly provider: string | null;
  readonly eventType: string | null;
  readonly payload: RawJson | null;
  readonly timestamp: string | null;
  /** Whether it verifies, by itself and where it stands; what is shown of one that does not was not committed so. */
  readonly valid: boolean;
  /** Why it does not. */
  readonly reason?: string;
  readonly unreadable?: true;
  /** What the payload is compared by; of a step that cannot be read only that it is that step. */
  readonly payloadIs: string;
  readonly payloadBytes: number;
}

interface ComparedChain {
  readonly steps: readonly ComparedStep[];
  readonly verdict: Verdict;
}

interface Pair {
  readonly step: number;
  readonly a: ComparedStep | undefined;
  readonly b: ComparedStep | undefined;
}

/**
 * Two chains beside each other, step by step from the root (ledger.md 3.3); `undefined` when either id is not this
 * account's. @throws payload_too_large
 */
export async function diffOf(
  ports: ChainPorts,
  account: number,
  idA: string,
  idB: string,
): Promise<{ readonly [name: string]: Answerable | undefined } | undefined> {
  const [chainA, chainB] = [await openChain(ports, account, idA), await openChain(ports, account, idB)];
  if (!chainA || !chainB) return undefined;
  const bytes = [...chainA.links, ...chainB.links].reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
  if (bytes > DIFF_BYTES_MAX)
    throw serverError("payload_too_large", "These chains are too large to be shown beside each other.");
  const pace = createPace(ports);
  const [comparedA, comparedB] = [await compared(ports, chainA), await compared(ports, chainB)];
  const [a, b] = [comparedA.steps, comparedB.steps];
  const pairs = Array.from(
    { length: Math.max(a.length, b.length) },
    (_, at): Pair => ({ step: at + 1, a: a[at], b: b[at] }),
  );
  const flags = pairs.map(flagsOf);
  const isChanged = (at: number) => Object.values(flags[at] ?? {}).includes(true);
  const changed = pairs.filter((_, at) => isChanged(at));
  return {
    ctxIdA: idA,
    ctxIdB: idB,
    lengthA: a.length,
    lengthB: b.length,
    totalSteps: pairs.length,
    changedSteps: changed.length,
    unchangedSteps: pairs.length - changed.length,
    identical: changed.length === 0,
    chainIntactA: comparedA.verdict.isIntact,
    chainIntactB: comparedB.verdict.isIntact,
    brokenAtA: comparedA.verdict.brokenAt,
    brokenAtB: comparedB.verdict.brokenAt,
    reasonA: comparedA.verdict.reason,
    reasonB: comparedB.verdict.reason,
    commonAncestor: pairs.findLast((pair) => pair.a && pair.a.id === pair.b?.id)?.a?.id ?? null,
    summary: {
      modelsA: modelsOf(a),
      modelsB: modelsOf(b),
      payloadChanges: flags.filter(({ payloadChanged }) => payloadChanged).length,
      modelChanges: flags.filter(({ modelChanged }) => modelChanged).length,
    },
    steps: pairs.map((pair, at) => ({
      step: pair.step,
      a: pair.a ? sideOf(pair.a) : null,
      b: pair.b ? sideOf(pair.b) : null,
      diff: flags[at],
    })),
    chainA: a.map((side, at) => ({ step: at + 1, ...sideOf(side) })),
    chainB: b.map((side, at) => ({ step: at + 1, ...sideOf(side) })),
    diffs: await differencesOf(changed, pace),
  };
}

async function differencesOf(changed: readonly Pair[], pace: Pace): Promise<Answerable[]> {
  const differences: Answerable[] = [];
  for (const pair of changed) {
    const { payloadChanged, modelChanged } = flagsOf(pair);
    differences.push({
      step: pair.step,
      modelA: pair.a?.model ?? null,
      modelB: pair.b?.model ?? null,
      payloadChanged,
      modelChanged,
      outputA: outputOf(pair.a),
      outputB: outputOf(pair.b),
    });
    await pace((pair.a?.payloadBytes ?? 0) + (pair.b?.payloadBytes ?? 0));
  }
  return differences;
}

async function compared(ports: ChainPorts, chain: Chain): Promise<ComparedChain> {
  const steps: ComparedStep[] = [];
  const { verdict } = await judgeOpened(ports, chain, (step) =>
    steps.push(comparedStep(step, chain.links[step.index]?.payloadBytes ?? 0)),
  );
  return { steps, verdict };
}

function comparedStep(step: Step, payloadBytes: number): ComparedStep {
  const judged = {
    id: step.id,
    valid: step.fault === null,
    ...(step.fault && { reason: step.fault.reason }),
  };
  if (step.kind === "unreadable")
    return { ...NOTHING, ...judged, unreadable: true, payloadIs: step.id, payloadBytes };
  const { commit, found } = step;
  return {
    ...judged,
    model: commit.model,
    provider: commit.provider,
    eventType: eventTypeOf(commit),
    payload: payloadIn(commit, found),
    timestamp: commit.timestamp,
    payloadIs: commit.payloadHash,
    payloadBytes,
  };
}

const NOTHING = { model: null, provider: null, eventType: null, payload: null, timestamp: null };

function flagsOf({ a, b }: Pair) {
  const isBoth = a !== undefined && b !== undefined;
  // Of a step that cannot be read nobody can say that it is like another one, nor by whom it was made.
  const isRead = isBoth && !a.unreadable && !b.unreadable;
  return {
    payloadChanged: isBoth && a.payloadIs !== b.payloadIs,
    modelChanged: isRead && a.model !== b.model,
    providerChanged: isRead && a.provider !== b.provider,
    onlyInA: b === undefined,
    onlyInB: a === undefined,
  };
}

const sideOf = ({ payloadIs: _, payloadBytes: __, ...shown }: ComparedStep) => shown;

const modelsOf = (steps: readonly ComparedStep[]): string[] => [
  ...new Set(steps.flatMap(({ model }) => model ?? [])),
];

/** What a step put out: its `output`, or all of it where it names none. */
function outputOf(step: ComparedStep | undefined): Answerable {
  if (!step?.payload) return null;
  const payload = readExactJson(step.payload.text);
  const output = isExactObject(payload) ? payload.get("output") : undefined;
  return output === undefined ? step.payload : new RawJson(writeExactJson(output));
}
