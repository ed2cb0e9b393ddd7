import { HOUR_MS, SECOND_MS } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { type PlaceProof, proofOfPlace } from "../../log/append.ts";
import { createLog } from "../../log/log.ts";
import { type AgentIdentity, agentOfAccount } from "../agents/agents.store.ts";
import { type KeyCaller, tooMany } from "../callers.ts";
import { NOT_STANDING } from "../chains/assurance.ts";
import { passportIn } from "../chains/views.ts";
import { serverError } from "../errors.ts";
import type { Answerable } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { createShares } from "../shares/shares.ts";
import { checkAgentSignature } from "./agent-signature.ts";
import { type Appender, type Idempotency, KEPT_MS, repeatOf } from "./append.ts";
import { checkClientAttestation } from "./client-attestation.ts";
import { envelopeFacts, matchClaims } from "./client-claims.ts";
import { type Claims, type CommitDraft, NO_CLAIMS, type ParentCommit, type StoredCommit } from "./commit.ts";
import type { CommitRequest, SentClaims } from "./commit-request.ts";
import { commitsWhere, parentCommit } from "./commits.store.ts";
import { keptRequests } from "./idempotency.store.ts";
import { draftOf, storedOf } from "./new-commit.ts";
import { SOUND } from "./passport.ts";
import { appendReceipt } from "./receipt.ts";
import { noRecipient, tooManyBytes } from "./refusals.ts";

/** A commit in the log, and what proves its place: the tree right after it. */
export interface Committed {
  readonly commit: StoredCommit;
  readonly proof: PlaceProof;
}

/** Committing, for whatever route asks for it. */
export interface Commits {
  /** @throws what is refused, with the codes of ledger.md 3.1 */
  commit(by: KeyCaller, request: CommitRequest): Promise<Committed>;
  /** The commit that a request under this key got before. @throws idempotency_conflict */
  repeated(by: KeyCaller, idempotency: Idempotency | undefined): Promise<Committed | undefined>;
  /** Counts what an agent sends, before it is looked at: reading it is what costs most. @throws rate_limited */
  countBytes(by: KeyCaller, bytes: number): Promise<void>;
  /** Brings a draft into the log. @throws idempotency_conflict */
  append(by: KeyCaller, draft: CommitDraft, order: AppendWish): Promise<Committed>;
  /** The caller's agent without a name, else the account's with that id or name. @throws where there is none */
  recipient(by: KeyCaller, idOrName: string | undefined): Promise<Pick<AgentIdentity, "id" | "name">>;
  /** The commit as answers show it, with its proof. */
  shown(committed: Committed): Record<string, Answerable | undefined>;
}

export interface AppendWish {
  readonly idempotency: Idempotency | undefined;
  readonly isShared: boolean;
}

export function createCommits(ports: LedgerServerPorts, appender: Appender): Commits {
  const { db, clock, random, config, windows } = ports;
  const shares = createShares(ports);

  async function recipient(by: KeyCaller, idOrName: string | undefined) {
    if (idOrName === undefined) return { id: by.agentId, name: by.agentName };
    const to = await agentOfAccount(db, by.account, idOrName);
    if (!to) throw noRecipient();
    return to;
  }

  async function draftFrom(by: KeyCaller, request: CommitRequest): Promise<CommitDraft> {
    const acceptedMs = Math.floor(clock.now());
    const { timestamp, keyId, warnings } = envelopeFacts(request.claims.envelope, acceptedMs);
    const to = await recipient(by, request.to);
    const parent = await parentOf(db, by, request.parentId);
    const draft = draftOf(
      {
        by,
        to,
        parent,
        trace: request.trace ?? null,
        branch: request.branch ?? "main",
        event: request.event ?? "commit",
        ...request.agent,
        timestamp,
        keyId,
        payload: request.payload.text,
        payloadHash: request.payload.hash,
        claims: NO_CLAIMS,
      },
      acceptedMs,
      random,
    );
    return { ...draft, claims: await checkedClaims(ports, request.claims, draft, warnings) };
  }

  async function append(by: KeyCaller, draft: CommitDraft, wish: AppendWish): Promise<Committed> {
    const also = wish.isShared
      ? (tx: Write, commit: StoredCommit) => shares.makeShare(tx, by, commit)
      : undefined;
    const appended = await appender.append({ draft, idempotency: wish.idempotency, also });
    if (appended.kind === "conflict") throw serverError("idempotency_conflict");
    if (appended.kind === "repeated") return placedBefore(db, appended.position);
    return { commit: storedOf(draft, appended.placed), proof: proofOfPlace(appended.placed) };
  }

  async function countBytes({ agentId }: KeyCaller, bytes: number): Promise<void> {
    const taken = await windows.take(`bytes/${agentId}`, config.limits.agentBytesAnHour, HOUR_MS, bytes);
    if (!taken.isAllowed) throw tooManyBytes(tooMany(taken), HOUR_MS / SECOND_MS);
  }

  async function repeated(by: KeyCaller, idempotency: Idempotency | undefined) {
    if (!idempotency) return undefined;
    const [kept] = await keptRequests(
      db,
      [{ agent: by.agentId, key: idempotency.key }],
      clock.now() - KEPT_MS,
    );
    if (!kept) return undefined;
    const repeat = repeatOf(kept, idempotency);
    if (repeat.kind === "conflict") throw serverError("idempotency_conflict");
    return placedBefore(db, repeat.position);
  }

  return {
    recipient,
    countBytes,
    append,
    repeated,
    async commit(by, request) {
      const before = await repeated(by, request.idempotency);
      if (before) return before;
      return append(by, await draftFrom(by, request), request);
    },
    shown({ commit, proof }) {
      const { warnings, isSkewed } = commit.claims;
      // As of its acceptance, so that a repeated request hears the same.
      const around = { baseUrl: config.baseUrl, nowMs: commit.acceptedMs, standing: NOT_STANDING };
      return {
        ...passportIn(commit, { ...SOUND, isClientSigned: commit.claims.clientSigned }, around),
        verify_url: `${config.baseUrl}/r/${commit.id}`,
        ...appendReceipt(commit, proof, config.baseUrl),
        timestamp_skew_warning: isSkewed,
        _warnings: warnings && warnings.length > 0 ? warnings : undefined,
      };
    },
  };
}

/** @throws not_found, also for a parent of another account: never silently a root */
async function parentOf(
  read: Read,
  by: KeyCaller,
  id: string | undefined,
): Promise<ParentCommit | undefined> {
  if (id === undefined) return undefined;
  const parent = await parentCommit(read, by.account, id);
  if (!parent) throw serverError("not_found", "There is no such parent in this account.");
  return parent;
}

/** Everything a client says of its commit, checked. */
async function checkedClaims(
  ports: LedgerServerPorts,
  sent: SentClaims,
  draft: CommitDraft,
  before: readonly string[],
): Promise<Claims> {
  const { isMatch, warnings } = matchClaims(sent, draft);
  const signature = await checkAgentSignature(ports, sent, draft);
  const attestation = await checkClientAttestation(ports, sent, draft);
  const all = [...before, ...warnings, ...signature.warnings, ...attestation.warnings];
  return {
    ...(sent.metadata && { metadata: sent.metadata.text }),
    ...attestation.kept,
    ...(sent.envelope && isMatch === false && { envelope: sent.envelope.text }),
    ...signature.kept,
    clientMatch: isMatch,
    signatureStatus: signature.status,
    completenessClaim: sent.completeness ?? null,
    clientSigned: attestation.isRegistered,
    ...(all.length > 0 && { warnings: all }),
    ...(attestation.isSkewed && { isSkewed: true }),
  };
}

const log = createLog();

/** A commit that stands in the log, with the proof it was answered with. */
async function placedBefore(read: Read, position: number): Promise<Committed> {
  const [commit] = await commitsWhere(read, "c.position = ?", position);
  if (!commit) throw serverError("not_found");
  const size = position + 1;
  const [{ treeRoot }, inclusion] = [await log.headAt(read, size), await log.inclusion(read, position, size)];
  return { commit, proof: { treeRoot, inclusion } };
}
