import {
  canon1OfText,
  EXACT_DEPTH_MAX,
  exactJsonError,
  jsonDepth,
  type MemberText,
  sha256Hex,
} from "@darkmatter/core";
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

/** For whom a commit is, and what it belongs to. */
export interface SentPlace {
  readonly to: string | undefined;
  readonly trace: string | undefined;
  readonly branch: string | undefined;
}

/** `POST /api/commit`, read (ledger.md 3.1). */
export interface CommitRequest extends SentPlace {
  readonly payload: SentPayload;
  readonly parentId: string | undefined;
  readonly event: string | undefined;
  readonly agent: SentAgent;
  readonly claims: SentClaims;
  readonly isShared: boolean;
  readonly idempotency: Idempotency | undefined;
}

export type PayloadLimits = Pick<LedgerServerLimits, "payloadBytes" | "payloadValues">;

/** @throws the codes of ledger.md 2.1, too_many_values, payload_required, payload_too_large, invalid_request */
export function readCommitRequest(
  request: Pick<RouteRequest, "body" | "headers" | "path">,
  limits: PayloadLimits,
): CommitRequest {
  const { members, canon1 } = bodyMembers(request, limits.payloadValues);
  const payload = payloadOf(members, limits.payloadBytes);
  if (!payload) throw serverError("payload_required");
  return {
    payload,
    ...placeOf(members),
    parentId: lineOf(members, ["parentId", "parent_id"]),
    event: lineOf(members, ["eventType", "event_type"], LABEL_CHARACTERS_MAX),
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
  const sent = payload ? objectPayload(payload) : context && outputPayload(context);
  if (!sent) return undefined;
  if (Buffer.byteLength(sent.canon1) > payloadBytesMax) throw serverError("payload_too_large");
  return { text: sent.text, hash: sha256Hex(sent.canon1) };
}

function objectPayload(payload: MemberText): MemberText {
  if (!payload.canon1.startsWith("{"))
    throw exactJsonError("not_an_object", "`payload` is JSON, but not an object.");
  return payload;
}

function outputPayload(context: MemberText): MemberText {
  const text = `{"output":${context.text}}`;
  const canon1 = `{"output":${context.canon1}}`;
  // Read anew only to be refused as any reading refuses it: reading is what takes time.
  return { text, canon1: jsonDepth(canon1) > EXACT_DEPTH_MAX ? canon1OfText(text) : canon1 };
}

/** Answers write these names otherwise: one that was taken from there must not be passed over. */
export function placeOf(members: Members): SentPlace {
  return {
    to: lineOf(members, ["toAgentId", "to_agent_id"]),
    trace: lineOf(members, ["traceId", "trace_id"]),
    branch: lineOf(members, ["branchKey", "branch_key"]),
  };
}

export function agentOf(members: Members): SentAgent {
  const agent = objectOf(members, "agent");
  // What else an agent holds may be large; the platform reads it in a fraction of the time.
  const inside: Record<string, unknown> = agent ? JSON.parse(agent.canon1) : {};
  const [role, provider, model] = ["role", "provider", "model"].map((name) => {
    const value = Object.hasOwn(inside, name) ? inside[name] : null;
    // No line is made of what is no text, whatever it is.
    const canon1 = typeof value === "string" || value === null ? JSON.stringify(value) : "false";
    return lineOf(new Map([[name, { text: canon1, canon1 }]]), name) ?? null;
  });
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
