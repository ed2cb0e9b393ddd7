import { isJsonObject, type Json, parseJson, sha256Hex } from "@darkmatter/core";
import { chainHashV1, chainHashV2, commitEnvelope, envelopeText, leafHash } from "@darkmatter/proof";
import { ledgerError } from "../errors.ts";
import { secondsTime } from "../times.ts";

/** One act in this node's log. Hashes are bare lower-case hex. */
export interface Commit {
  /** From 0; also its leaf's index. */
  readonly position: number;
  /** `ctx_<unix ms>_<12 hex>` */
  readonly id: string;
  /** The conversation it belongs to: a message id or an agent id. */
  readonly trace: string;
  /** The position of the commit before it of the same trace; `null` for the first. */
  readonly parent: number | null;
  /** The position of the first commit of the same trace; its own for the first. */
  readonly root: number;
  readonly acceptedMs: number;
  /** canon-1 text of `CommitPayload`. */
  readonly payload: string;
  readonly payloadHash: string;
  /** Scheme 1. */
  readonly chainHash: string;
  /** Scheme 2: the hash by which others name this commit. */
  readonly integrityHash: string;
  readonly leaf: string;
  readonly logRoot: string;
  /** Roots of the perfect subtrees of level 1, 2, … that this leaf completes (RFC 9162), as `appendLeaf` gives them. */
  readonly nodes: readonly string[];
}

/** What a commit says, the values only as commitments. A type, not an interface, so that it is a JSON object. */
export type CommitPayload = {
  act: string;
  /** Who did it in the agent's place: hex. */
  delegate?: { public_key: string; grant: string; sig: string };
  /** Bare commitments by the name of the field. */
  fields: { [name: string]: string };
  message_id?: string;
  peer: string | null;
  peer_commit?: string;
};

/** What the next commit of a trace builds on. */
export interface ParentHashes {
  readonly chainHash: string;
  readonly integrityHash: string;
}

/** What a commit's content and its parent determine. */
export interface ContentHashes {
  readonly payloadHash: string;
  readonly chainHash: string;
  readonly integrityHash: string;
}

export interface CommitHashes extends ContentHashes {
  readonly leaf: string;
}

/** The key id of every envelope of a node: it has one key, the passport. */
export const KEY_ID = "default";

/** The canon-1 text whose hash is scheme 2, and which the agent signs. */
export function envelopeTextOf(
  agentId: string,
  { acceptedMs, payloadHash }: Pick<Commit, "acceptedMs" | "payloadHash">,
  parent: ParentHashes | undefined,
): string {
  return envelopeText(envelopeOf(agentId, { acceptedMs, payloadHash }, parent));
}

export function envelopeOf(
  agentId: string,
  { acceptedMs, payloadHash }: Pick<Commit, "acceptedMs" | "payloadHash">,
  parent: ParentHashes | undefined,
) {
  return commitEnvelope({
    agentId,
    keyId: KEY_ID,
    timestamp: secondsTime(acceptedMs),
    payloadHash,
    parentIntegrityHash: parent?.integrityHash ?? null,
  });
}

/** The hashes of a commit before it has its place in the log. */
export function contentHashesOf(
  agentId: string,
  { acceptedMs, payload }: Pick<Commit, "acceptedMs" | "payload">,
  parent: ParentHashes | undefined,
): ContentHashes {
  const payloadHash = sha256Hex(payload);
  return {
    payloadHash,
    chainHash: chainHashV1(payloadHash, parent?.chainHash ?? null),
    integrityHash: chainHashV2(envelopeTextOf(agentId, { acceptedMs, payloadHash }, parent)),
  };
}

/** All that a commit's own facts and its parent's hashes determine: how it is checked. */
export function hashesOf(
  agentId: string,
  commit: Pick<Commit, "position" | "id" | "acceptedMs" | "payload">,
  parent: ParentHashes | undefined,
): CommitHashes {
  const hashes = contentHashesOf(agentId, commit, parent);
  const leaf = leafHash({
    accepted_at: secondsTime(commit.acceptedMs),
    commit_id: commit.id,
    integrity_hash: hashes.integrityHash,
    log_position: commit.position,
  });
  return { ...hashes, leaf };
}

/** Whether a commit is linked to the one before it of its trace, and is what its hashes say. */
export function isSound(commit: Commit, parent: Commit | undefined, agentId: string): boolean {
  if (commit.parent !== (parent?.position ?? null) || commit.root !== rootBelow(commit, parent)) return false;
  const hashes = hashesOf(agentId, commit, parent);
  return (Object.keys(hashes) as (keyof CommitHashes)[]).every((name) => hashes[name] === commit[name]);
}

/** The root that a commit on this parent has. */
export function rootBelow(
  { position }: Pick<Commit, "position">,
  parent: Pick<Commit, "root"> | undefined,
): number {
  return parent?.root ?? position;
}

/** The payload of a commit of this node; its hash says whether it is what was written. @throws LEDGER_DAMAGED */
export function payloadOf({ payload, id }: Pick<Commit, "payload" | "id">): CommitPayload {
  const value = parseJson(payload);
  if (!isJsonObject(value) || typeof value.act !== "string" || !isJsonObject(value.fields))
    throw ledgerError("LEDGER_DAMAGED", `The payload of the commit ${id} is unreadable.`);
  return value as CommitPayload;
}

/** A field's value and its salt, 64 hex, as they lie apart from the commit. */
export interface Field {
  readonly name: string;
  readonly salt: string;
  readonly value: Json;
}
