import { DAY_MS, parseTime } from "@darkmatter/core";
import { spkiPem } from "@darkmatter/proof";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Ways } from "../callers.ts";
import { commitOfAccount } from "../commits/commits.store.ts";
import { serverError } from "../errors.ts";
import { queryOf } from "../input.ts";
import { answer, rawOrNull } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { addressedTo, retentionOf } from "./chains.store.ts";
import { createClientProofs, VERIFIED } from "./client-proofs.ts";
import { listCommits } from "./listed.ts";

const PULL_MAX = 1000;
/** Payloads of one answer, but for a single larger one. */
const PULL_BYTES = 32_000_000;

const PullQuery = z.object({
  since: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(PULL_MAX).default(PULL_MAX),
  cursor: z.coerce.number().int().min(0).optional().describe("`nextCursor` of the answer before"),
});

/** Single commits as they are read. */
export function commitReadRoutes(ports: LedgerServerPorts, ways: Ways): Route[] {
  return [pull(ports, ways), retention(ports, ways), signature(ports, ways)];
}

function pull(ports: LedgerServerPorts, ways: Ways): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/pull",
    summary: "Gives the commits addressed to this agent, newest first",
    contract: {
      tag: "commits",
      query: PullQuery,
      answers: { 200: { says: "the commits; `nextCursor` where there are more" } },
      examples: [
        { name: "all", status: 200 },
        { name: "the newest", query: { limit: "1", since: "2020-01-01T00:00:00Z" }, status: 200 },
      ],
    },
    async handle(request, { account, agentId, agentName }) {
      const { since, limit, cursor } = queryOf(PullQuery, request.search);
      const found = await addressedTo(ports.db, account, agentId, {
        before: cursor ?? Number.MAX_SAFE_INTEGER,
        sinceMs: since === undefined ? 0 : (parseTime(since) ?? 0),
        limit: limit + 1,
      });
      const shown = found.slice(0, fittingIn(found, limit));
      const commits = await listCommits(
        whileWaitedFor(ports, request),
        shown.map(({ position }) => position),
      );
      return answer(200, {
        agentId,
        agentName,
        contexts: commits.map(({ passport }) => passport),
        count: commits.length,
        nextCursor: shown.length < found.length ? String(shown.at(-1)?.position) : undefined,
      });
    },
  });
}

/** How many of these, from the first, fit into an answer. */
function fittingIn(found: readonly { readonly bytes: number }[], limit: number): number {
  let bytes = 0;
  const over = found.findIndex((one, at) => {
    bytes += one.bytes;
    return at === limit || (at > 0 && bytes > PULL_BYTES);
  });
  return over < 0 ? found.length : over;
}

function retention({ db, clock }: LedgerServerPorts, ways: Ways): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/retention/:id",
    summary: "Says how long a commit's payload is kept",
    contract: {
      tag: "commits",
      answers: {
        200: { says: "null where it is kept for good" },
        404: { says: "this account has no such commit" },
      },
      examples: [
        { name: "a commit", params: { id: "{ctx}" }, status: 200 },
        { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle({ params }, { account }) {
      const id = params.id ?? "";
      const found = await retentionOf(db, account, id);
      if (!found) throw serverError("not_found");
      const { acceptedMs, days } = found;
      const expiresMs = days === null ? null : acceptedMs + days * DAY_MS;
      const leftMs = expiresMs === null ? null : Math.max(0, expiresMs - clock.now());
      return answer(200, {
        ctxId: id,
        retentionDays: days,
        createdAt: millisecondsTime(acceptedMs),
        expiresAt: expiresMs === null ? null : millisecondsTime(expiresMs),
        daysRemaining: leftMs === null ? null : Math.ceil(leftMs / DAY_MS),
        isExpired: leftMs === 0,
      });
    },
  });
}

function signature({ db, verifier }: LedgerServerPorts, ways: Ways): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/commits/:id/signature",
    summary: "Looks again at what the client signed of a commit",
    contract: {
      tag: "commits",
      answers: { 200: { says: "what was found" }, 404: { says: "this account has no such commit" } },
      examples: [
        { name: "a commit", params: { id: "{ctx}" }, status: 200 },
        { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
      ],
    },
    async handle({ params }, { account }) {
      const commit = await commitOfAccount(db, account, params.id ?? "");
      if (!commit) throw serverError("not_found");
      const proofs = createClientProofs(db, verifier);
      const { result, publicKey, note } = await proofs.signature(commit);
      const attested = await proofs.attestation(commit);
      const { claims } = commit;
      return answer(200, {
        commit_id: commit.id,
        result,
        verified: VERIFIED.has(result),
        note,
        key_id: commit.keyId,
        agent_id: commit.agent,
        accepted_at: millisecondsTime(commit.acceptedMs),
        agent_signature: claims.agentSignature ?? null,
        public_key_pem: publicKey === undefined ? null : spkiPem(publicKey),
        signature_status: claims.signatureStatus,
        client_match: claims.clientMatch,
        client_envelope: claims.envelope === undefined ? null : rawOrNull(claims.envelope),
        client_attestation: claims.attestation === undefined ? null : rawOrNull(claims.attestation),
        attestation_result: attested === undefined ? "none" : (attested ?? "valid"),
      });
    },
  });
}
