import {
  checkpointText,
  isNamedAfter,
  type SignedCheckpoint,
  verifyConsistency,
  witnessId,
} from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { createWindowLimiter } from "@darkmatter/surface";
import type { LedgerPeer, LedgerPorts } from "../ports.ts";
import { secondsTime } from "../times.ts";
import { type EvidenceKeeper, evidenceIn } from "./evidence.ts";
import { isOwnCheckpoint } from "./own-checkpoint.ts";
import { type Refused, refused } from "./refusals.ts";
import { type Body, type Testimony, type WitnessRequest, witnessRequestOf } from "./witness.ts";
import {
  comparable,
  countLogs,
  findEvidence,
  insertWitnessed,
  lastWitnessed,
  type Witnessed,
} from "./witnesses.store.ts";

/** Requests a minute from one address: each may cost a verification for every connected agent. */
const REQUESTS_PER_MINUTE = 300;
/** Checkpoints a minute of one agent that are signed; one that behaves sends at most six. */
export const CHECKPOINTS_PER_MINUTE = 30;
/** Logs this node signs for. One is never forgotten: that would let it begin a second history. */
export const LOGS_MAX = 1000;

export type Verdict = Refused | ({ readonly kind: "signed" } & Testimony);

/** Being a witness (mesh.md 22.6). */
export interface Witnessing {
  /** Signs another log's checkpoint when it follows from the one signed last. `address` is the caller's socket. */
  witness(body: Body, address: string): Promise<Verdict>;
}

export function createWitnessing(
  { db, clock, signer, verifier, peers }: LedgerPorts,
  evidence: EvidenceKeeper,
): Witnessing {
  const limiter = createWindowLimiter({ clock });
  const ownWitnessId = witnessId(signer.agentId);

  async function signerOf(checkpoint: SignedCheckpoint, candidates: readonly LedgerPeer[]) {
    for (const candidate of candidates) {
      if (await isOwnCheckpoint(checkpoint, candidate, verifier.verify)) return candidate.agentId;
    }
    return undefined;
  }

  /** Decides and signs in one transaction: of two requests at once the second sees what the first one left. */
  async function decide(
    tx: Write,
    agentId: string,
    request: WitnessRequest,
    connected: readonly LedgerPeer[],
  ): Promise<Verdict> {
    const { checkpoint } = request;
    if (await findEvidence(tx, agentId)) return refused("SPLIT_HISTORY");
    const held = await comparable(tx, agentId, checkpoint);
    for (const { checkpoint: earlier } of held) {
      const found = evidenceIn(earlier, checkpoint);
      if (!found) continue;
      await evidence.keep(tx, { agentId, ...found, from: signer.agentId }, connected);
      return refused("EQUIVOCATION", earlier);
    }
    const last = await lastWitnessed(tx, agentId);
    const objection = last && objectionTo(request, last.checkpoint);
    if (objection) return objection;
    if (!last && (await countLogs(tx)) >= LOGS_MAX) return refused("NO_ROOM");
    const signedBefore = held.find((one) => one.checkpoint.checkpoint_id === checkpoint.checkpoint_id);
    if (signedBefore) return testimony(signedBefore);
    // Only what is signed counts. Whoever saw a checkpoint can bring it again, and must not use up its log's share.
    const share = `of ${agentId}`;
    if (!limiter.hasRoom(share, CHECKPOINTS_PER_MINUTE)) return refused("TOO_MANY");
    tx.afterCommit(() => void limiter.take(share, CHECKPOINTS_PER_MINUTE));
    return testimony(await sign(tx, agentId, checkpoint));
  }

  async function sign(tx: Write, agentId: string, checkpoint: SignedCheckpoint): Promise<Witnessed> {
    const signature = signer.sign(checkpointText(checkpoint));
    const witnessed = { agentId, checkpoint, signature, witnessedAt: secondsTime(clock.now()) };
    await insertWitnessed(tx, witnessed);
    return witnessed;
  }

  function testimony({ signature, witnessedAt }: Witnessed): Verdict {
    return { kind: "signed", witnessId: ownWitnessId, signature, witnessedAt };
  }

  return {
    async witness(body, address) {
      if (!limiter.take(`from ${address}`, REQUESTS_PER_MINUTE)) return refused("TOO_MANY");
      const request = witnessRequestOf(body);
      if (!request) return refused("MALFORMED");
      // The signature would pass for one under a checkpoint of this log.
      if (isNamedAfter(request.checkpoint, signer.agentId)) return refused("BAD_SIGNATURE");
      const connected = await peers.all();
      const named = request.agentId;
      const candidates =
        named === undefined ? connected : connected.filter(({ agentId }) => agentId === named);
      if (candidates.length === 0) return refused("NOT_CONNECTED");
      const agentId = await signerOf(request.checkpoint, candidates);
      if (agentId === undefined) return refused(named === undefined ? "NOT_CONNECTED" : "BAD_SIGNATURE");
      return db.write((tx) => decide(tx, agentId, request, connected));
    },
  };
}

/** Why a checkpoint does not follow from the one signed last; equal trees follow without a proof. */
function objectionTo(
  { checkpoint, consistency }: WitnessRequest,
  last: SignedCheckpoint,
): Refused | undefined {
  if (checkpoint.tree_size < last.tree_size || checkpoint.timestamp < last.timestamp) {
    return refused("INCONSISTENT", last);
  }
  if (checkpoint.tree_size === last.tree_size) return undefined;
  if (consistency?.firstSize !== last.tree_size) return refused("CONSISTENCY_NEEDED", last);
  const holds = verifyConsistency({
    firstSize: last.tree_size,
    firstRoot: last.tree_root,
    secondSize: checkpoint.tree_size,
    secondRoot: checkpoint.tree_root,
    proof: consistency.proof,
  });
  return holds ? undefined : refused("INCONSISTENT", last);
}
