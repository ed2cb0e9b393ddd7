import { HOUR_MS } from "@darkmatter/core";
import type { Job, Route } from "@darkmatter/surface";
import type { Ways } from "../callers.ts";
import { answer } from "../json-text.ts";
import { createPace } from "../pace.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { KEPT_MS } from "./append.ts";
import { COMMIT_BODY_BYTES_MAX } from "./commit-body.ts";
import { CommitBody, tooLarge } from "./commit-contract.ts";
import { readCommitRequest } from "./commit-request.ts";
import type { Commits } from "./commits.ts";
import { forgetRequests } from "./idempotency.store.ts";
import { auditing } from "./refusals.ts";

export function commitRoutes(ports: LedgerServerPorts, ways: Ways, commits: Commits): Route[] {
  const { limits } = ports.config;
  const pace = createPace(ports);
  return [
    ways.byKey({
      method: "POST",
      path: "/api/commit",
      summary: "Commits a payload to the log",
      body: "raw",
      maxBytes: COMMIT_BODY_BYTES_MAX,
      contract: {
        tag: "commits",
        request: CommitBody,
        answers: {
          200: { says: "the commit, and the proof that it is in the log" },
          400: { says: "the body, a signature or an attestation does not hold; `code` says what" },
          404: { says: "the recipient or the parent is not of this account" },
          409: { says: "the idempotency key was used for another request" },
          413: { says: tooLarge(limits) },
          429: { says: "more bytes than an agent may send in an hour" },
        },
        examples: [
          { name: "a first step", body: { payload: { input: "Q", output: "A" } }, status: 200 },
          {
            name: "the next step, by a model, for another agent",
            body: {
              payload: { input: "A", output: "B" },
              parentId: "{ctx}",
              toAgentId: "{agentName}",
              traceId: "{trace}",
              eventType: "checkpoint",
              agent: { role: "writer", provider: "anthropic", model: "claude-opus-4-6" },
              metadata: { temperature: 0.2 },
            },
            status: 200,
          },
          { name: "without a payload", body: {}, status: 400 },
          {
            name: "for nobody of this account",
            body: { payload: {}, toAgentId: "dm_0000000000000000" },
            status: 404,
          },
        ],
      },
      handle: (request, caller) =>
        auditing(ports, caller, async () => {
          await commits.countBytes(caller, request.body.byteLength);
          const wanted = readCommitRequest(request, limits);
          await pace(request.body.byteLength);
          const committed = await commits.commit(caller, wanted);
          return answer(200, { ...commits.shown(committed), verify_public: wanted.isShared });
        }),
    }),
  ];
}

export function commitJobs({ db, clock }: LedgerServerPorts): Job[] {
  return [
    {
      name: "ledger.forget-requests",
      periodMs: HOUR_MS,
      async run() {
        await db.write((tx) => forgetRequests(tx, clock.now() - KEPT_MS));
      },
    },
  ];
}
