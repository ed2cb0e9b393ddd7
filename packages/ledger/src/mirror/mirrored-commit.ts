import { canon1OfJson, type JsonObject, sha256Hex } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import {
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  envelopeText,
  prefixed,
  type SignedCheckpoint,
} from "@darkmatter/proof";
import { type Commit, envelopeOf, envelopeTextOf, isSound, payloadOf } from "../commits/commit.ts";
import { jsonText, RawJson } from "../server/json-text.ts";
import { secondsTime } from "../times.ts";
import { mirrorError } from "./errors.ts";
import { CHECKPOINT_CHAIN, type MirrorTip } from "./mirror.store.ts";

/** The name of a node's key among the keys of its agent at the server. */
export const PASSPORT_KEY_ID = "passport";
/** What a server takes as a trace (ledger.md 1.1): an id that came from a peer may be anything. */
const TRACE = /^[^\p{Cc}]{1,200}$/u;

/** Something of this log as it goes to a server, and what it has to be over there. */
export interface MirroredCommit {
  /** The chain it continues: the position of its first commit, or `CHECKPOINT_CHAIN`. */
  readonly root: number;
  /** Equal for every attempt: the server makes one commit of all that carry it. */
  readonly idempotencyKey: string;
  /** The trace it has there. */
  readonly trace: string;
  /** When it was made here; it was not sent before. */
  readonly madeMs: number;
  /** JSON text. */
  readonly body: string;
  /** Bare; scheme 1 is the one it has here, too. */
  readonly chainHash: string;
  readonly integrityHash: string;
}

interface Content {
  /** canon-1 text. */
  readonly payload: string;
  readonly trace: string;
  readonly event: string;
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly timestamp: string;
  readonly node: JsonObject;
}

/**
 * An act of this node. @param parent the commit before it here, @param tip the same over there
 * @throws MIRROR_UNSOUND
 */
export function mirroredAct(
  signer: Signer,
  serverAgent: string,
  commit: Commit,
  parent: Commit | undefined,
  tip: MirrorTip | undefined,
): MirroredCommit {
  if (!isSound(commit, parent, signer.agentId))
    throw mirrorError("MIRROR_UNSOUND", `The commit ${commit.id} is not what its hashes say.`);
  const content: Content = {
    payload: commit.payload,
    trace: TRACE.test(commit.trace) ? commit.trace : `trc_${sha256Hex(commit.trace)}`,
    event: payloadOf(commit).act,
    timestamp: secondsTime(commit.acceptedMs),
    node: {
      agent_id: signer.agentId,
      commit_id: commit.id,
      integrity_hash: commit.integrityHash,
      log_position: commit.position,
      leaf_hash: commit.leaf,
      envelope: { ...envelopeOf(signer.agentId, commit, parent) },
      agent_signature: signer.sign(envelopeTextOf(signer.agentId, commit, parent)),
    },
  };
  return written(signer, serverAgent, content, tip, { root: commit.root, idempotencyKey: commit.id });
}

/** What this node signed about its log, as a commit of a chain of its own: a third party has then seen it. */
export function mirroredCheckpoint(
  signer: Signer,
  serverAgent: string,
  checkpoint: SignedCheckpoint,
  tip: MirrorTip | undefined,
): MirroredCommit {
  const content: Content = {
    payload: canon1OfJson({ ...checkpoint }),
    trace: `log_${signer.agentId}`,
    event: "checkpoint",
    timestamp: checkpoint.timestamp,
    node: { agent_id: signer.agentId, checkpoint_id: checkpoint.checkpoint_id },
  };
  const place = { root: CHECKPOINT_CHAIN, idempotencyKey: checkpoint.checkpoint_id };
  return written(signer, serverAgent, content, tip, place);
}

/** Signed over the server's envelope: there the agent is the API key's, and the parent what the server made of it. */
function written(
  signer: Signer,
  serverAgent: string,
  { payload, trace, event, timestamp, node }: Content,
  tip: MirrorTip | undefined,
  place: Pick<MirroredCommit, "root" | "idempotencyKey">,
): MirroredCommit {
  const payloadHash = sha256Hex(payload);
  const envelope = commitEnvelope({
    agentId: serverAgent,
    keyId: PASSPORT_KEY_ID,
    timestamp,
    payloadHash,
    parentIntegrityHash: tip?.integrityHash ?? null,
  });
  const text = envelopeText(envelope);
  const body = jsonText({
    payload: new RawJson(payload),
    parentId: tip?.id ?? null,
    traceId: trace,
    eventType: event,
    metadata: new RawJson(canon1OfJson({ node })),
    payload_hash: payloadHash,
    envelope: new RawJson(text),
    agent_signature: signer.sign(text),
  });
  return {
    ...place,
    trace,
    madeMs: Date.parse(timestamp),
    body,
    chainHash: chainHashV1(payloadHash, tip?.chainHash ?? null),
    integrityHash: chainHashV2(text),
  };
}

/** What the server made of it, as it answers. */
interface Acknowledgement {
  readonly id?: unknown;
  readonly integrity?: { readonly integrity_hash?: unknown };
  readonly integrity_v2?: { readonly integrity_hash?: unknown; readonly signature_status?: unknown };
}

/** Whether a commit of the server's is this one: no other has its time, payload and parent. */
export function isAcknowledgement({ integrityHash }: MirroredCommit, passport: JsonObject): boolean {
  return (passport as Acknowledgement).integrity_v2?.integrity_hash === prefixed(integrityHash);
}

/** @throws MIRROR_DIFFERS, MIRROR_NO_LEDGER */
export function acknowledged(
  { chainHash, integrityHash }: MirroredCommit,
  answer: JsonObject,
): { readonly tip: MirrorTip; readonly signature: string } {
  const { id, integrity, integrity_v2: second } = answer as Acknowledgement;
  if (typeof id !== "string" || !/^ctx_\d{1,16}_[0-9a-f]{8,12}$/.test(id))
    throw mirrorError("MIRROR_NO_LEDGER", "The ledger server acknowledged a commit without naming it.");
  if (integrity?.integrity_hash !== prefixed(chainHash))
    throw mirrorError("MIRROR_DIFFERS", `The server's scheme-1 hash of ${id} is not this node's.`);
  if (second?.integrity_hash !== prefixed(integrityHash))
    throw mirrorError("MIRROR_DIFFERS", `The server's scheme-2 hash of ${id} is not what was signed.`);
  return { tip: { id, chainHash, integrityHash }, signature: String(second.signature_status) };
}
