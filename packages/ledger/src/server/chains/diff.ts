import { isExactObject, readExactJson, writeExactJson } from "@darkmatter/core";
import type { StoredCommit } from "../commits/commit.ts";
import { commitsAt } from "../commits/commits.store.ts";
import { payloadIn, soundnessOf } from "../commits/passport.ts";
import { serverError } from "../errors.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import { createPace, type Pace } from "../pace.ts";
import { type Chain, type ChainPorts, openChain } from "./chains.ts";
import { eventTypeOf } from "./views.ts";

/** Payloads of both chains that one comparison may show. */
const DIFF_BYTES_MAX = 16_000_000;
const STEPS_AT_ONCE = 128;

/** A commit, and its payload as it may be shown. */
interface ComparedCommit extends StoredCommit {
  readonly shown: RawJson | null;
}

interface Pair {
  readonly step: number;
  readonly a: ComparedCommit | undefined;
  readonly b: ComparedCommit | undefined;
}

/**
 * Two chains beside each other, step by step from the root (ledger.md 3.3); `undefined` when either id is not this
 * account's. @throws payload_too_large
 */
export async function diffOf(
  ports: Pick<ChainPorts, "db" | "clock">,
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
  const [a, b] = [await commitsOf(ports, chainA, pace), await commitsOf(ports, chainB, pace)];
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
    chainA: a.map((commit, at) => ({ step: at + 1, ...sideOf(commit) })),
    chainB: b.map((commit, at) => ({ step: at + 1, ...sideOf(commit) })),
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
    await pace(sizeOf(pair.a) + sizeOf(pair.b));
  }
  return differences;
}

const sizeOf = (commit: ComparedCommit | undefined) => commit?.payload?.length ?? 0;

async function commitsOf(
  { db, clock }: Pick<ChainPorts, "db" | "clock">,
  { links }: Chain,
  pace: Pace,
): Promise<ComparedCommit[]> {
  const commits: ComparedCommit[] = [];
  for (let from = 0; from < links.length; from += STEPS_AT_ONCE) {
    const page = links.slice(from, from + STEPS_AT_ONCE);
    const positions = page.map(({ position }) => position);
    for (const commit of await commitsAt(db, positions)) {
      commits.push({ ...commit, shown: payloadIn(commit, soundnessOf(commit)) });
      await pace(commit.payload?.length ?? 0);
    }
    await clock.turn();
  }
  return commits;
}

function flagsOf({ a, b }: Pair) {
  const isBoth = a !== undefined && b !== undefined;
  return {
    payloadChanged: isBoth && a.payloadHash !== b.payloadHash,
    modelChanged: isBoth && a.model !== b.model,
    providerChanged: isBoth && a.provider !== b.provider,
    onlyInA: b === undefined,
    onlyInB: a === undefined,
  };
}

const sideOf = (commit: ComparedCommit) => ({
  id: commit.id,
  model: commit.model,
  provider: commit.provider,
  eventType: eventTypeOf(commit),
  payload: commit.shown,
  timestamp: commit.timestamp,
});

const modelsOf = (commits: readonly StoredCommit[]): string[] => [
  ...new Set(commits.flatMap(({ model }) => model ?? [])),
];

/** What a step put out: its `output`, or all of it where it names none. */
function outputOf(commit: ComparedCommit | undefined): Answerable {
  if (!commit?.shown) return null;
  const payload = readExactJson(commit.shown.text);
  const output = isExactObject(payload) ? payload.get("output") : undefined;
  return output === undefined ? commit.shown : new RawJson(writeExactJson(output));
}
