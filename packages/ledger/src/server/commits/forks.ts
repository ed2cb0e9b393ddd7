import type { Clock } from "@darkmatter/core";
import { type Random, toHex } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";
import type { RouteRequest } from "@darkmatter/surface";
import { secondsTime } from "../../times.ts";
import type { AgentIdentity } from "../agents/agents.store.ts";
import type { KeyCaller } from "../callers.ts";
import { serverError } from "../errors.ts";
import { createPace } from "../pace.ts";
import type { Idempotency } from "./append.ts";
import { type CommitDraft, NO_CLAIMS, type StoredCommit } from "./commit.ts";
import { bodyMembers, lineOf, type Members, memberOf } from "./commit-body.ts";
import {
  agentOf,
  idempotencyOf,
  type PayloadLimits,
  payloadOf,
  type SentAgent,
  type SentPayload,
} from "./commit-request.ts";
import { chainPositions } from "./commits.store.ts";
import { draftOf } from "./new-commit.ts";
import { soundnessOf } from "./passport.ts";
import { readCommits } from "./read-commits.ts";

/** `POST /api/fork/:id`, read (ledger.md 3.4). */
export interface ForkRequest {
  /** Where the fork leaves the chain: an id, a step from 1, or the commit itself. */
  readonly from: string | number | undefined;
  readonly branch: string | undefined;
  readonly to: string | undefined;
  readonly trace: string | undefined;
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
    branch: lineOf(members, "branchKey"),
    to: lineOf(members, "toAgentId"),
    trace: lineOf(members, "traceId"),
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
  readonly point: StoredCommit;
  /** Whether the rest of the chain, up to the commit that is forked, verifies too. */
  readonly isIntact: boolean;
}

/** Verifies the chain and finds the fork point on it. @throws fork_point_invalid */
export async function forkedChain(
  { db, clock }: { readonly db: Read; readonly clock: Clock },
  source: StoredCommit,
  from: ForkRequest["from"],
): Promise<ForkedChain> {
  const positions = await chainPositions(db, source.position);
  const pace = createPace({ clock });
  const steps = { next: 0, broken: Number.POSITIVE_INFINITY };
  let found: { readonly commit: StoredCommit; readonly step: number } | undefined;
  for (let at = 0; at < positions.length; at += PAGE) {
    const page = positions.slice(at, at + PAGE);
    const commits = await readCommits(db, page);
    for (const position of page) {
      const step = steps.next++;
      const commit = commits.get(position);
      if (!commit || !isSoundStep(commit, positions, step)) steps.broken = Math.min(steps.broken, step);
      if (commit && isPoint(commit, step, from ?? source.id)) found = { commit, step };
      await pace(commit?.payload?.length ?? 0);
    }
    // A long chain is a lot of hashing: others have their turn in between.
    await clock.turn();
  }
  if (!found || steps.next !== positions.length || found.step >= steps.broken)
    throw serverError("fork_point_invalid");
  return { point: found.commit, isIntact: steps.broken === Number.POSITIVE_INFINITY };
}

/** Commits that are read and verified at a time. */
const PAGE = 256;

function isSoundStep(commit: StoredCommit, positions: readonly number[], step: number): boolean {
  const isLinked =
    commit.parent === (positions[step - 1] ?? null) &&
    commit.depth === step + 1 &&
    commit.root === positions[0];
  return isLinked && soundnessOf(commit).status !== "broken";
}

const isPoint = (commit: StoredCommit, step: number, from: string | number) =>
  typeof from === "number" ? step + 1 === from : commit.id === from;

/** The commit a fork begins with. */
export function forkDraft(
  by: KeyCaller,
  to: Pick<AgentIdentity, "id" | "name">,
  { source, chain, request }: { source: StoredCommit; chain: ForkedChain; request: ForkRequest },
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
      fork: { of: source.id, point: point.id },
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
