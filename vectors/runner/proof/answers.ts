import { type ExactJson, type Json, readExactJson } from "@darkmatter/core";
import {
  appendLeaf,
  checkpointText,
  contradiction,
  type Frontier,
  fieldCommitment,
  type InclusionStep,
  isHash,
  keyOfPem,
  type LeafEnvelope,
  leafHash,
  logRootAfter,
  nodeHash,
  receiptText,
  rootOf,
  type SignedMessage,
  signedCheckpointOf,
  signedMessageText,
  type TakenReceipt,
  takenReceiptOf,
  type VerifySignature,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyReceipt,
  witnessId,
} from "@darkmatter/proof";

/** Each kind knows the shape of its own inputs. */
type Answer = (input: never) => Json | Promise<Json>;

/** How each kind of case is answered. */
export function answersOf(verify: VerifySignature): Readonly<Record<string, Answer>> {
  return { ...MERKLE, ...SIGNED_TEXTS, ...COMMITMENTS, ...signedThings(verify) };
}

function rootOfLeaves(leaves: readonly string[]): string {
  let frontier: Frontier = [];
  for (const [size, leaf] of leaves.entries()) frontier = appendLeaf(frontier, size, leaf).frontier;
  return rootOf(frontier);
}

const MERKLE = {
  leaf: (envelope: LeafEnvelope) => leafHash(envelope),
  node: ({ left, right }: { left: string; right: string }) => nodeHash(left, right),
  root: ({ leaves }: { leaves: string[] }) => rootOfLeaves(leaves),
  log_root: (log: { previous: string | null; integrity_hash: string }) =>
    logRootAfter(log.previous, log.integrity_hash),
  inclusion: (claim: {
    leaf: string;
    leaf_index: number;
    tree_size: number;
    proof: InclusionStep[];
    tree_root: string;
  }) => {
    const { leaf, leaf_index: index, proof, tree_root: root, tree_size: size } = claim;
    return verifyInclusion({ leaf, index, size, proof, root });
  },
  consistency: (claim: {
    first_size: number;
    first_root: string;
    second_size: number;
    second_root: string;
    proof: string[];
  }) =>
    verifyConsistency({
      firstSize: claim.first_size,
      firstRoot: claim.first_root,
      secondSize: claim.second_size,
      secondRoot: claim.second_root,
      proof: claim.proof,
    }),
} satisfies Record<string, Answer>;

const SIGNED_TEXTS = {
  pem: ({ pem }: { pem: string }) => keyOfPem(pem) ?? null,
  receipt_text: ({ receipt_json }: { receipt_json: string }) =>
    receiptText(JSON.parse(receipt_json) as TakenReceipt) ?? null,
  message_text: (message: { signed: SignedMessage; message_id: string; content: string | null }) =>
    signedMessageText(message.signed, message.message_id, message.content ?? undefined) ?? null,
} satisfies Record<string, Answer>;

interface Opening {
  readonly salt: string;
  readonly name: string;
  readonly value_json: string;
}

const COMMITMENTS = {
  commitment: ({ salt, name, value_json }: Opening) =>
    fieldCommitment({ salt, name, value: readExactJson(value_json) }),
  opens: ({ commitment, name, salt, value_json }: Opening & { commitment: string }) => {
    const value = readOrRefused(value_json);
    return value !== undefined && isHash(salt) && fieldCommitment({ salt, name, value }) === commitment;
  },
} satisfies Record<string, Answer>;

function readOrRefused(text: string): ExactJson | undefined {
  try {
    return readExactJson(text);
  } catch {
    return undefined;
  }
}

function signedThings(verify: VerifySignature) {
  async function checkpointOf(text: string, publicKey: string) {
    const signed = signedCheckpointOf(readOrRefused(text) ?? null);
    return signed && (await verifyCheckpoint(signed, publicKey, verify)) ? signed : undefined;
  }
  return {
    checkpoint: async (claim: { checkpoint_json: string; public_key: string }) =>
      (await checkpointOf(claim.checkpoint_json, claim.public_key)) !== undefined,
    witness: async (claim: {
      checkpoint_json: string;
      public_key_pem: string;
      witness_id: string;
      witness_sig: string;
    }) => {
      const signed = signedCheckpointOf(readOrRefused(claim.checkpoint_json) ?? null);
      const key = keyOfPem(claim.public_key_pem);
      if (!signed || key === undefined || witnessId(key) !== claim.witness_id) return false;
      return verify(key, checkpointText(signed), claim.witness_sig);
    },
    evidence: async (claim: { first_json: string; second_json: string; public_key: string }) => {
      const first = await checkpointOf(claim.first_json, claim.public_key);
      const second = await checkpointOf(claim.second_json, claim.public_key);
      return first !== undefined && second !== undefined && contradiction(first, second) !== undefined;
    },
    receipt: async ({ receipt_json }: { receipt_json: string }) => {
      const receipt = takenReceiptOf(readOrRefused(receipt_json) ?? null);
      return receipt !== undefined && verifyReceipt(receipt, verify);
    },
  } satisfies Record<string, Answer>;
}
