import { type Random, toHex } from "@darkmatter/core";
import type { RouteRequest } from "@darkmatter/surface";
import { secondsTime } from "../../times.ts";
import type { AgentIdentity } from "../agents/agents.store.ts";
import type { KeyCaller } from "../callers.ts";
import type { Link } from "../chains/chains.store.ts";
import { type ChainPorts, openChain, pagesOf } from "../chains/chains.ts";
import type { Idempotency } from "../commits/append.ts";
import { type CommitDraft, NO_CLAIMS, type StoredCommit } from "../commits/commit.ts";
import { bodyMembers, lineOf, type Members, memberOf } from "../commits/commit-body.ts";
import {
  agentOf,
  idempotencyOf,
  type PayloadLimits,
  payloadOf,
  placeOf,
  type SentAgent,
  type SentPayload,
  type SentPlace,
} from "../commits/commit-request.ts";
import { draftOf } from "../commits/new-commit.ts";
import { soundnessOf } from "../commits/passport.ts";
import { readCommits, UNREADABLE_ROW } from "../commits/read-commits.ts";
import { serverError } from "../errors.ts";
import { createPace } from "../pace.ts";

/** `POST /api/fork/:id`, read (ledger.md 3.4). */
export interface ForkRequest extends SentPlace {
  /** Where the fork leaves the chain: an id, a step from 1, or the commit itself. */
  readonly from: string | number | undefined;
  readonly payload: SentPayload | undefined;
  readonly agent: SentAgent;
  readonly idempotency: Idempotency | undefined;
}

/** @throws the codes of ledger.md 2.1, too_many_values, payload_too_large, invalid_request */
export function readForkRequest(request: RouteRequest, limits: PayloadLimits): ForkRequest {
  const { members, canon1 } = bodyMembers(request, limits.payloadValues);
  const agent = agentOf(members);
  return {
    from: lineOf(members, ["fromCheckpoint", "fromCtxId"]) ?? stepOf(members),
    ...placeOf(members),
    payload: payloadOf(members, limits.payloadBytes),
    agent: { ...agent, model: agent.model ?? lineOf(members, "suggestedModel") ?? null },
    idempotency: idempotencyOf(request, members, canon1),
  };
}

function stepOf(members: Members): number | undefined {
  const step = memberOf(members, "fromStep");
  if (!step) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(step.canon1))
    throw serverError("invalid_request", "`fromStep` is a whole number from 1.");
  return Number(step.canon1);
}

/** A chain up to the commit that is forked, and where the fork leaves it. */
export interface ForkedChain {
  /** Id of the commit that is forked. */
  readonly source: string;
  readonly point: StoredCommit;
  /** Whether the rest of the chain, up to the commit that is forked, verifies too. */
  readonly isIntact: boolean;
}

/** Verifies the chain of an account's commit and finds the fork point on it. @throws not_found, fork_point_invalid */
export async function forkedChain(
  ports: Pick<ChainPorts, "db" | "clock">,
  account: number,
  source: string,
  from: ForkRequest["from"],
): Promise<ForkedChain> {
  const chain = await openChain(ports, account, source);
  if (!chain) throw serverError("not_found");
  const { links } = chain;
  const pointStep = pointOn(links, from ?? source);
  const pace = createPace(ports);
  let step = 0;
  let broken: BrokenStep | undefined;
  let point: StoredCommit | undefined;
  for (const page of pagesOf(links)) {
    const commits = await readCommits(
      ports.db,
      page.map(({ position }) => position),
    );
    for (const { position, payloadBytes, id } of page) {
      const commit = commits.get(position);
      const fault = commit ? faultOf(commit, links, step) : UNREADABLE_ROW;
      if (fault !== null) broken ??= { id, step, reason: fault };
      if (step === pointStep) point = commit;
      step++;
      await pace(payloadBytes);
    }
    // A long chain is a lot of hashing: others have their turn in between.
    await ports.clock.turn();
  }
  if (broken && broken.step <= pointStep) throw behindBroken(broken);
  if (!point) throw new TypeError(`The commit of step ${pointStep} is sound and is not there.`);
  return { source, point, isIntact: broken === undefined };
}

interface BrokenStep {
  readonly id: string;
  /** From 0. */
  readonly step: number;
  readonly reason: string;
}

/** Where on the chain it is, from 0. @throws fork_point_invalid */
function pointOn(links: readonly Link[], from: string | number): number {
  const at = typeof from === "number" ? from - 1 : links.findIndex(({ id }) => id === from);
  if (links[at] !== undefined) return at;
  const steps = links.length === 1 ? "1 step" : `${links.length} steps`;
  const point = typeof from === "number" ? `Step ${from}` : `The fork point ${from}`;
  throw serverError("fork_point_invalid", `${point} is not on the chain of that commit, which has ${steps}.`);
}

function behindBroken({ id, step, reason }: BrokenStep): Error {
  const until = step === 0 ? "It is the first: nothing" : `Only what is before it, up to step ${step},`;
  return serverError(
    "fork_point_invalid",
    `Step ${step + 1} of the chain (${id}) does not verify: ${reason}. ${until} can be forked.`,
  );
}

/** Why a step does not verify; `null` where it does. */
function faultOf(commit: StoredCommit, links: readonly Link[], step: number): string | null {
  const isLinked =
    commit.parent === (links[step - 1]?.position ?? null) &&
    commit.depth === step + 1 &&
    commit.root === links[0]?.position;
  if (!isLinked) return "it does not follow the step before it";
  const { status, reason } = soundnessOf(commit);
  return status === "broken" ? reason : null;
}

/** The commit a fork begins with. */
export function forkDraft(
  by: KeyCaller,
  to: Pick<AgentIdentity, "id" | "name">,
  { chain, request }: { readonly chain: ForkedChain; readonly request: ForkRequest },
  { nowMs, random }: { readonly nowMs: number; readonly random: Random },
): CommitDraft {
  const { point } = chain;
  const payload = request.payload?.text ?? defaultPayload(chain);
  return draftOf(
    {
      by,
      to,
      parent: point,
      trace: request.trace ?? null,
      branch: request.branch ?? `fork-${toHex(random.bytes(BRANCH_BYTES))}`,
      event: "fork",
      ...request.agent,
      timestamp: secondsTime(nowMs),
      keyId: "default",
      payload,
      ...(request.payload && { payloadHash: request.payload.hash }),
      claims: chain.isIntact ? NO_CLAIMS : { ...NO_CLAIMS, warnings: [BROKEN_SOURCE] },
      fork: { of: chain.source, point: point.id },
    },
    nowMs,
    random,
  );
}

/** What the maker of a fork is told whose source was damaged already. */
export const BROKEN_SOURCE = "The source chain does not verify behind the fork point.";

/** Of a branch without a name: `fork-` and six hex. */
const BRANCH_BYTES = 3;

function defaultPayload({ point, isIntact }: ForkedChain): string {
  const memory = {
    forked_from: point.id,
    lineage_root: point.rootId,
    is_root_fork: point.parent === null,
    source_intact: isIntact,
  };
  return JSON.stringify({ input: `Fork from ${point.id}`, output: null, memory });
}
