import { canon1OfText, type MemberText, readMemberTexts, sha256Hex } from "@darkmatter/core";
import type { RouteRequest } from "@darkmatter/surface";
import { serverError } from "../errors.ts";
import type { LedgerServerLimits } from "../ports.ts";
import type { Idempotency } from "./append.ts";
import { anyTextOf, bodyMembers, flagOf, lineOf, type Members, memberOf, objectOf } from "./commit-body.ts";

const LABEL_CHARACTERS_MAX = 64;
const KEY_CHARACTERS_MAX = 255;
/** Of a hash, a signature or a key in PEM that a client sends. */
const PROOF_CHARACTERS_MAX = 1024;

/** A payload as it was sent, and its hash: H(canon-1), bare. */
export interface SentPayload {
  readonly text: string;
  readonly hash: string;
}

/** Who or what made the payload: free texts. */
export interface SentAgent {
  readonly role: string | null;
  readonly provider: string | null;
  readonly model: string | null;
}

/** What a client says of its commit (ledger.md 2.5, 2.7, 2.8), still unchecked. */
export interface SentClaims {
  readonly payloadHash: string | undefined;
  readonly integrityHash: string | undefined;
  readonly envelope: MemberText | undefined;
  readonly signature: string | undefined;
  /** As it was sent: PEM. */
  readonly publicKey: string | undefined;
  readonly metadata: MemberText | undefined;
  readonly attestation: MemberText | undefined;
  readonly completeness: boolean | undefined;
  /** Whether any difference refuses the commit. */
  readonly isStrict: boolean;
}

/** `POST /api/commit`, read (ledger.md 3.1). */
export interface CommitRequest {
  readonly payload: SentPayload;
  readonly to: string | undefined;
  readonly parentId: string | undefined;
  readonly trace: string | undefined;
  readonly branch: string | undefined;
  readonly event: string | undefined;
  readonly agent: SentAgent;
  readonly claims: SentClaims;
  readonly isShared: boolean;
  readonly idempotency: Idempotency | undefined;
}

export type PayloadLimits = Pick<LedgerServerLimits, "payloadBytes" | "payloadValues">;

/** @throws the codes of ledger.md 2.1, too_many_values, payload_required, payload_too_large, invalid_request */
export function readCommitRequest(request: RouteRequest, limits: PayloadLimits): CommitRequest {
  const { members, canon1 } = bodyMembers(request, limits.payloadValues);
  const payload = payloadOf(members, limits.payloadBytes);
  if (!payload) throw serverError("payload_required");
  return {
    payload,
    to: lineOf(members, "toAgentId"),
    parentId: lineOf(members, "parentId"),
    trace: lineOf(members, "traceId"),
    branch: lineOf(members, "branchKey"),
    event: lineOf(members, "eventType", LABEL_CHARACTERS_MAX),
    agent: agentOf(members),
    claims: {
      payloadHash: lineOf(members, ["payload_hash", "clientPayloadHash"], PROOF_CHARACTERS_MAX),
      integrityHash: lineOf(members, ["integrity_hash", "clientIntegrityHash"], PROOF_CHARACTERS_MAX),
      envelope: objectOf(members, "envelope"),
      signature: lineOf(members, ["agent_signature", "agentSignature"], PROOF_CHARACTERS_MAX),
      publicKey: anyTextOf(members, ["agent_public_key", "agentPublicKey"], PROOF_CHARACTERS_MAX),
      metadata: objectOf(members, "metadata"),
      attestation: objectOf(members, "client_attestation"),
      completeness: flagOf(members, "completeness_claim"),
      isStrict: flagOf(members, "strict") ?? false,
    },
    isShared: flagOf(members, "share") ?? false,
    idempotency: idempotencyOf(request, members, canon1),
  };
}

/** The payload, or legacy `context` as its `output`. @throws not_an_object, too_deep, payload_too_large */
export function payloadOf(members: Members, payloadBytesMax: number): SentPayload | undefined {
  const payload = memberOf(members, "payload");
  const context = memberOf(members, "context");
  if (!payload && !context) return undefined;
  const text = payload?.text ?? `{"output":${context?.text}}`;
  // Read anew where it is no object, to be refused as such, and where the `output` around it adds a level.
  const isObject = payload?.canon1.startsWith("{");
  const canon1 = payload ? (isObject ? payload.canon1 : readMemberTexts(text).canon1) : canon1OfText(text);
  if (Buffer.byteLength(canon1) > payloadBytesMax) throw serverError("payload_too_large");
  return { text, hash: sha256Hex(canon1) };
}

export function agentOf(members: Members): SentAgent {
  const agent = objectOf(members, "agent");
  const inside: Members = agent ? readMemberTexts(agent.text).members : new Map();
  const [role, provider, model] = ["role", "provider", "model"].map((name) => lineOf(inside, name) ?? null);
  return { role: role ?? null, provider: provider ?? null, model: model ?? null };
}

/** The same key for another path or another body is a conflict. White space and the order of members do not count. */
export function idempotencyOf(
  { headers, path }: Pick<RouteRequest, "headers" | "path">,
  members: Members,
  canon1: string,
): Idempotency | undefined {
  const key = lineOf(members, "idempotencyKey", KEY_CHARACTERS_MAX) ?? headers["idempotency-key"];
  if (key === undefined || key === "") return undefined;
  if (key.length > KEY_CHARACTERS_MAX)
    throw serverError("invalid_request", `An idempotency key has at most ${KEY_CHARACTERS_MAX} characters.`);
  return { key, requestHash: sha256Hex(`${path}\n${canon1}`) };
}
