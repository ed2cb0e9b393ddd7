import type { Route } from "@darkmatter/surface";
import { secondsTime } from "../../times.ts";
import { agentOfAccount } from "../agents/agents.store.ts";
import type { KeyCaller, Ways } from "../callers.ts";
import { assuranceOf, NOT_STANDING } from "../chains/assurance.ts";
import { serverError } from "../errors.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { Appender } from "./append.ts";
import { type CommitDraft, NO_CLAIMS } from "./commit.ts";
import { exactBody, objectOf, payloadTextOf, textOf } from "./commit-body.ts";
import { parentCommit } from "./commits.store.ts";
import { draftOf, storedOf } from "./new-commit.ts";
import { passportOf } from "./passport.ts";
import { appendReceipt } from "./receipt.ts";

/** A body of 10 MB of payload, and what is around it. */
export const COMMIT_BODY_BYTES_MAX = 12_000_000;

export function commitRoutes(ports: LedgerServerPorts, ways: Ways, appender: Appender): Route[] {
  const { clock, config } = ports;
  return [
    ways.byKey({
      method: "POST",
      path: "/api/commit",
      summary: "Commits a payload to the log",
      body: "raw",
      maxBytes: COMMIT_BODY_BYTES_MAX,
      contract: {
        tag: "commits",
        answers: { 200: { says: "the commit, and the proof that it is in the log" } },
        examples: [{ name: "a first step", body: { payload: { input: "Q", output: "A" } }, status: 200 }],
      },
      async handle(request, caller) {
        const draft = await draftFrom(ports, caller, exactBody(request));
        const placed = await appender.append(draft);
        const commit = storedOf(draft, placed);
        const soundness = {
          status: "valid",
          reason: null,
          payloadHolds: true,
          chainHolds: true,
          envelopeHolds: true,
        } as const;
        const view = {
          baseUrl: config.baseUrl,
          soundness,
          verifiedAtMs: clock.now(),
          assurance: assuranceOf(commit, NOT_STANDING),
        } as const;
        return answer(200, {
          ...passportOf(commit, view),
          verify_url: `${config.baseUrl}/r/${draft.id}`,
          verify_public: false,
          ...appendReceipt(draft, placed, config.baseUrl),
        });
      },
    }),
  ];
}

async function draftFrom(
  { db, clock, random, config }: LedgerServerPorts,
  by: KeyCaller,
  body: ReturnType<typeof exactBody>,
): Promise<CommitDraft> {
  const payload = payloadTextOf(body, config.limits.payloadBytes);
  const toName = textOf(body, "toAgentId");
  const to =
    toName === undefined
      ? { id: by.agentId, name: by.agentName }
      : await agentOfAccount(db, by.account, toName);
  if (!to) throw serverError("not_found", "There is no such recipient in this account.");
  const parentId = textOf(body, "parentId");
  const parent = parentId === undefined ? undefined : await parentCommit(db, by.account, parentId);
  if (parentId !== undefined && !parent) throw serverError("not_found", "There is no such parent here.");
  const agent = objectOf(body, "agent") ?? new Map();
  const nowMs = Math.floor(clock.now());
  return draftOf(
    {
      by,
      to,
      parent,
      trace: textOf(body, "traceId") ?? null,
      branch: textOf(body, "branchKey") ?? "main",
      event: textOf(body, "eventType", 64) ?? "commit",
      role: textOf(agent, "role") ?? null,
      provider: textOf(agent, "provider") ?? null,
      model: textOf(agent, "model") ?? null,
      timestamp: secondsTime(nowMs),
      keyId: "default",
      payload,
      claims: NO_CLAIMS,
    },
    nowMs,
    random,
  );
}
