import type { Step } from "../chains/chain-step.ts";
import { anchorsOf, type Chain, type ChainPorts, openChain, walkChain } from "../chains/chains.ts";
import { createVerdict } from "../chains/verdict.ts";
import { serverError } from "../errors.ts";
import { type Share, shareById, traceTips } from "./shares.store.ts";

/** Part of what is shown: from a step (1 is the first), as many as fit. */
export interface ShownFrom {
  readonly step: number;
  /** Steps at most; 1000 unless told. */
  readonly count?: number;
}

/** A step, and which one it is. */
export interface NumberedStep {
  /** From 1. */
  readonly number: number;
  readonly step: Step;
}

/** What a stranger sees of a chain or a trace, all of it recomputed just now. */
export interface Shown {
  readonly isIntact: boolean;
  readonly reason: string | null;
  readonly brokenAt: string | null;
  readonly totalSteps: number;
  /** Distinct, in the order they come. */
  readonly models: readonly string[];
  readonly agents: readonly string[];
  /** Fork commits. */
  readonly forks: number;
  readonly steps: readonly NumberedStep[];
  /** Where to go on; `null` when nothing is left. */
  readonly nextStep: number | null;
}

const STEPS_MAX = 1000;
const BYTES_MAX = 8_000_000;

/** A commit of an account with its ancestors; `undefined` for any id that is not this account's. */
export async function showChain(
  ports: ChainPorts,
  account: number,
  commitId: string,
  from?: ShownFrom,
): Promise<Shown | undefined> {
  const chain = await openChain(ports, account, commitId);
  return chain && show(ports, [chain], () => true, from);
}

/** Steps that are recomputed for one answer, unless a single chain is longer: a trace may branch at each of them. */
const STEPS_WALKED_MAX = 100_000;

/** What a share publishes, and no commit besides. @throws payload_too_large for a trace of too many long branches */
export async function showShare(
  ports: ChainPorts,
  { account, shared }: Pick<Share, "account" | "shared">,
  from?: ShownFrom,
): Promise<Shown | undefined> {
  if (shared.kind === "chain") return showChain(ports, account, shared.commitId, from);
  const { tips, positions } = await traceTips(ports.db, account, shared.trace, shared.until);
  const chains: Chain[] = [];
  let walked = 0;
  for (const tip of tips) {
    const chain = await openChain(ports, account, tip);
    walked += chain?.links.length ?? 0;
    if (chains.length > 0 && walked > STEPS_WALKED_MAX)
      throw serverError(
        "payload_too_large",
        "What this share publishes is too much to be looked at at once.",
      );
    if (chain) chains.push(chain);
  }
  return show(ports, chains, (position) => positions.has(position), from);
}

/** A share that may be shown, and what it publishes. @throws not_found, share_expired */
export async function openShare(
  ports: ChainPorts,
  id: string,
  from?: ShownFrom,
): Promise<{ readonly share: Share; readonly shown: Shown }> {
  const share = await shareById(ports.db, id);
  if (!share || share.revokedMs !== null) throw noSuchShare();
  if (share.expiresMs !== null && share.expiresMs <= ports.clock.now()) throw serverError("share_expired");
  const shown = await showShare(ports, share, from);
  if (!shown) throw noSuchShare();
  return { share, shown };
}

const noSuchShare = () => serverError("not_found", "There is no such share.");

/** Walks whole chains, whose verdict rests on all of their steps, and keeps the steps that are to be shown. */
async function show(
  ports: ChainPorts,
  chains: readonly Chain[],
  isShown: (position: number) => boolean,
  from: ShownFrom = { step: 1 },
): Promise<Shown> {
  const links = new Map(chains.flatMap((chain) => chain.links.map((link) => [link.position, link])));
  const ordered = [...links.values()]
    .filter(({ position }) => isShown(position))
    .sort((a, b) => a.position - b.position);
  const numbers = new Map(ordered.map(({ position }, at) => [position, at + 1]));
  const last = lastOfPage(ordered, from);
  const steps = new Map<number, NumberedStep>();
  const seen = { models: new Set<string>(), agents: new Set<string>(), forks: new Set<number>() };
  const verdicts = [];
  for (const chain of chains) {
    const verdict = createVerdict();
    for await (const page of walkChain(ports, chain, await anchorsOf(ports, chain))) {
      for (const step of page.steps) {
        verdict.add(step);
        const number = numbers.get(step.position);
        if (number === undefined) continue;
        note(seen, step);
        if (number >= from.step && number <= last) steps.set(number, { number, step });
      }
    }
    verdicts.push(verdict.result());
  }
  const broken = verdicts.find(({ isIntact }) => !isIntact);
  return {
    isIntact: broken === undefined,
    reason: broken?.reason ?? null,
    brokenAt: broken?.brokenAt ?? null,
    totalSteps: ordered.length,
    models: [...seen.models],
    agents: [...seen.agents],
    forks: seen.forks.size,
    steps: [...steps.values()].sort((a, b) => a.number - b.number),
    nextStep: last < ordered.length ? last + 1 : null,
  };
}

function note(seen: { models: Set<string>; agents: Set<string>; forks: Set<number> }, step: Step): void {
  if (step.kind === "unreadable") return;
  const { model, agentName, forkOf } = step.commit;
  if (model !== null) seen.models.add(model);
  seen.agents.add(agentName);
  if (forkOf !== null) seen.forks.add(step.position);
}

/** The number of the last step that is shown together with this one: payloads of one answer are bounded. */
function lastOfPage(
  links: readonly { readonly payloadBytes: number }[],
  { step: first, count = STEPS_MAX }: ShownFrom,
): number {
  let bytes = 0;
  let last = first - 1;
  for (const { payloadBytes } of links.slice(first - 1, first - 1 + count)) {
    bytes += payloadBytes;
    if (last >= first && bytes > BYTES_MAX) break;
    last++;
  }
  return last;
}
