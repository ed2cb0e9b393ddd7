import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { whileWaitedFor } from "../caller-gone.ts";
import type { KeyCaller, Ways } from "../callers.ts";
import { COMMIT_BODY_BYTES_MAX } from "../commits/commit-body.ts";
import { SentAgentBody, tooLarge } from "../commits/commit-contract.ts";
import type { Commits, Committed } from "../commits/commits.ts";
import { auditing } from "../commits/refusals.ts";
import { answer } from "../json-text.ts";
import { createPace } from "../pace.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { BROKEN_SOURCE, type ForkRequest, forkDraft, forkedChain, readForkRequest } from "./forks.ts";

const Text = z.string().max(200);
const ForkBody = z.looseObject({
  branchKey: Text.nullish().describe("`fork-` and six hex without"),
  fromCheckpoint: Text.nullish().describe("id of the commit on the chain where the fork leaves it"),
  fromCtxId: Text.nullish().describe("the same"),
  fromStep: z.number().int().min(1).nullish().describe("the same as a step of the chain, the root being 1"),
  toAgentId: Text.nullish(),
  payload: z.looseObject({}).nullish(),
  agent: SentAgentBody,
  traceId: Text.nullish().describe("the fork inherits none"),
  suggestedModel: Text.nullish().describe("`agent.model` where that is absent"),
  idempotencyKey: z.string().max(255).nullish(),
});

export function forkRoute(ports: LedgerServerPorts, ways: Ways, commits: Commits): Route {
  const { limits } = ports.config;
  const pace = createPace(ports);
  return ways.byKey({
    method: "POST",
    path: "/api/fork/:id",
    isLong: true,
    summary: "Begins a branch at a commit of a chain, which stays as it is",
    body: "raw",
    maxBytes: COMMIT_BODY_BYTES_MAX,
    contract: {
      tag: "commits",
      request: ForkBody,
      answers: {
        200: { says: "the fork's first commit, and the proof that it is in the log" },
        400: { says: "the fork point is not on the chain, or does not verify" },
        404: { says: "no such commit, or no such recipient, in this account" },
        413: { says: tooLarge(limits) },
      },
      examples: [
        { name: "at a chain's tip", params: { id: "{ctx}" }, status: 200 },
        {
          name: "at its first step, for another model",
          params: { id: "{ctx}" },
          body: { fromCheckpoint: "{root}", branchKey: "cheaper", suggestedModel: "gpt-4o-mini" },
          status: 200,
        },
        {
          name: "at a commit of another chain",
          params: { id: "{ctx}" },
          body: { fromCtxId: "{other}" },
          status: 400,
        },
      ],
    },
    handle: (request, caller) =>
      auditing(ports, caller, async () => {
        await commits.countBytes(caller, request.body.byteLength);
        const wanted = readForkRequest(request, limits);
        await pace(request.body.byteLength);
        const id = request.params.id ?? "";
        return answer(200, await fork(whileWaitedFor(ports, request), commits, caller, { id, wanted }));
      }),
  });
}

async function fork(
  ports: LedgerServerPorts,
  commits: Commits,
  by: KeyCaller,
  { id, wanted }: { readonly id: string; readonly wanted: ForkRequest },
) {
  const { clock, random } = ports;
  const before = await commits.repeated(by, wanted.idempotency);
  if (before) return shown(commits, before);
  const to = await commits.recipient(by, wanted.to);
  const chain = await forkedChain(ports, by.account, id, wanted.from);
  const nowMs = Math.floor(clock.now());
  const draft = forkDraft(by, to, { chain, request: wanted }, { nowMs, random });
  const committed = await commits.append(by, draft, { ...wanted, isShared: false });
  return shown(commits, committed);
}

function shown(commits: Commits, committed: Committed) {
  const { commit } = committed;
  const isIntact = !commit.claims.warnings?.includes(BROKEN_SOURCE);
  return {
    ...commits.shown(committed),
    is_root_fork: commit.depth === 2,
    source_chain_intact: isIntact,
    message: `Forked from ${commit.forkPoint}. The source chain is untouched.`,
    warning: isIntact ? undefined : BROKEN_SOURCE,
  };
}
