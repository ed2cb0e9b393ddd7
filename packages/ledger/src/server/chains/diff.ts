import { readExactObject, writeExactJson } from "@darkmatter/core";
import type { StoredCommit } from "../commits/commit.ts";
import { commitsAt } from "../commits/commits.store.ts";
import { serverError } from "../errors.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import { type Chain, type ChainPorts, openChain } from "./chains.ts";
import { eventTypeOf } from "./views.ts";

/** Payloads of both chains that one comparison may show. */
const DIFF_BYTES_MAX = 16_000_000;
const STEPS_AT_ONCE = 128;

interface Pair {
  readonly step: number;
  readonly a: StoredCommit | undefined;
  readonly b: StoredCommit | undefined;
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
  const [a, b] = [await commitsOf(ports, chainA), await commitsOf(ports, chainB)];
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
    diffs: changed.map((pair) => ({
      step: pair.step,
      modelA: pair.a?.model ?? null,
      modelB: pair.b?.model ?? null,
      payloadChanged: flagsOf(pair).payloadChanged,
      modelChanged: flagsOf(pair).modelChanged,
      outputA: outputOf(pair.a),
      outputB: outputOf(pair.b),
    })),
  };
}

async function commitsOf(
  { db, clock }: Pick<ChainPorts, "db" | "clock">,
  { links }: Chain,
): Promise<StoredCommit[]> {
  const commits: StoredCommit[] = [];
  for (let from = 0; from < links.length; from += STEPS_AT_ONCE) {
    const page = links.slice(from, from + STEPS_AT_ONCE);
    commits.push(
      ...(await commitsAt(
        db,
        page.map(({ position }) => position),
      )),
    );
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

const sideOf = (commit: StoredCommit) => ({
  id: commit.id,
  model: commit.model,
  provider: commit.provider,
  eventType: eventTypeOf(commit),
  payload: commit.payload === null ? null : new RawJson(commit.payload),
  timestamp: commit.timestamp,
});

const modelsOf = (commits: readonly StoredCommit[]): string[] => [
  ...new Set(commits.flatMap(({ model }) => model ?? [])),
];

/** What a step put out: its `output`, or all of it where it names none. */
function outputOf(commit: StoredCommit | undefined): Answerable {
  if (!commit || commit.payload === null) return null;
  const output = readExactObject(commit.payload).get("output");
  return new RawJson(output === undefined ? commit.payload : writeExactJson(output));
}
