import { canon1OfText, type Random, sha256Hex } from "@darkmatter/core";
import {
  type CommitEnvelope,
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  envelopeText,
} from "@darkmatter/proof";
import type { Placed } from "../../log/append.ts";
import type { AgentIdentity } from "../agents/agents.store.ts";
import type { KeyCaller } from "../callers.ts";
import { newCommitId } from "../ids.ts";
import {
  type Claims,
  type CommitDraft,
  EVENT_TYPES,
  type ParentCommit,
  type StoredCommit,
} from "./commit.ts";

/** What is to be committed, checked and by its owner. */
export interface NewCommit {
  readonly by: KeyCaller;
  readonly to: Pick<AgentIdentity, "id" | "name">;
  readonly parent: ParentCommit | undefined;
  readonly trace: string | null;
  readonly branch: string;
  readonly event: string;
  readonly role: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly timestamp: string;
  readonly keyId: string;
  /** JSON text of an object, as it was sent. */
  readonly payload: string;
  /** H(canon-1 of it), bare, where that is known already. */
  readonly payloadHash?: string;
  readonly claims: Claims;
  readonly fork?: { readonly of: string; readonly point: string };
}

/** What scheme 2 hashes of a draft. */
export function draftEnvelope({
  agent,
  keyId,
  timestamp,
  payloadHash,
  parent,
}: Pick<CommitDraft, "agent" | "keyId" | "timestamp" | "payloadHash" | "parent">): CommitEnvelope {
  const parentIntegrityHash = parent?.integrityHash ?? null;
  return commitEnvelope({ agentId: agent, keyId, timestamp, payloadHash, parentIntegrityHash });
}

/** Everything of a commit that does not depend on where it will stand. */
export function draftOf(wanted: NewCommit, acceptedMs: number, random: Random): CommitDraft {
  const { by, to, parent } = wanted;
  const payloadHash = wanted.payloadHash ?? sha256Hex(canon1OfText(wanted.payload));
  const { timestamp, keyId } = wanted;
  const envelope = draftEnvelope({ agent: by.agentId, parent, payloadHash, timestamp, keyId });
  const isKnown = EVENT_TYPES.has(wanted.event);
  return {
    id: newCommitId(acceptedMs, random),
    account: by.account,
    agent: by.agentId,
    agentName: by.agentName,
    toAgent: to.id,
    toAgentName: to.name,
    trace: wanted.trace,
    branch: wanted.branch,
    parent,
    forkOf: wanted.fork?.of ?? null,
    forkPoint: wanted.fork?.point ?? null,
    event: isKnown ? wanted.event : "commit",
    label: isKnown ? null : wanted.event,
    role: wanted.role,
    provider: wanted.provider,
    model: wanted.model,
    timestamp,
    keyId,
    acceptedMs,
    payload: wanted.payload,
    payloadHash,
    chainHash: chainHashV1(payloadHash, parent?.chainHash ?? null),
    integrityHash: chainHashV2(envelopeText(envelope)),
    claims: wanted.claims,
  };
}

/** The commit as it now stands in the log, without reading it back. */
export function storedOf(draft: CommitDraft, placed: Placed): StoredCommit {
  const { parent } = draft;
  return {
    ...draft,
    position: placed.position,
    parent: parent?.position ?? null,
    parentId: parent?.id ?? null,
    parentChainHash: parent?.chainHash ?? null,
    parentIntegrityHash: parent?.integrityHash ?? null,
    root: parent?.root ?? placed.position,
    rootId: parent?.rootId ?? draft.id,
    depth: (parent?.depth ?? 0) + 1,
    prunedMs: null,
    leaf: placed.leaf,
    logRoot: placed.logRoot,
  };
}
