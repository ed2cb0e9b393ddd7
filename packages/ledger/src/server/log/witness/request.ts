import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import { isHash, type SignedCheckpoint, signedCheckpointOf } from "@darkmatter/proof";
import { PROOF_HASHES_MAX } from "../../../witnesses/witness.ts";

/** What a log asks its witness (ledger.md 2.10). */
export interface SignRequest {
  readonly checkpoint: SignedCheckpoint;
  /** The key that the log says it has; the pinned one counts. PEM. */
  readonly logKeyPem: string | undefined;
  readonly consistency: Consistency | undefined;
}

/** That a tree only adds to one of `firstSize` leaves. */
export interface Consistency {
  readonly firstSize: number;
  readonly proof: readonly string[];
}

const MEMBERS = [
  "checkpoint_id",
  "log_position",
  "log_root",
  "previous_cp_id",
  "previous_tree_root",
  "schema_version",
  "timestamp",
  "tree_root",
  "tree_size",
  "server_sig",
  "position",
] as const;

/** `undefined` for a body that is none. Members that nobody signs are passed over: a log may send more of them. */
export function signRequestOf(body: { readonly [name: string]: Json }): SignRequest | undefined {
  if (!isJsonObject(body.checkpoint)) return undefined;
  const sent = body.checkpoint;
  const named: JsonObject = Object.fromEntries(
    MEMBERS.filter((name) => Object.hasOwn(sent, name)).map((name) => [name, sent[name] ?? null]),
  );
  const checkpoint = signedCheckpointOf(named);
  const given = body.consistency ?? null;
  const consistency = given === null ? undefined : consistencyOf(given);
  if (!checkpoint || (given !== null && !consistency)) return undefined;
  const pem = body.darkmatter_pubkey;
  return { checkpoint, logKeyPem: typeof pem === "string" ? pem : undefined, consistency };
}

/** A consistency proof as it travels: `{first_size, proof: [hash]}`; other members are passed over. */
export function consistencyOf(value: Json): Consistency | undefined {
  if (!isJsonObject(value)) return undefined;
  const { first_size: firstSize, proof } = value;
  if (typeof firstSize !== "number" || !Number.isSafeInteger(firstSize) || firstSize < 1) return undefined;
  if (!Array.isArray(proof) || proof.length > PROOF_HASHES_MAX || !proof.every(isHash)) return undefined;
  return { firstSize, proof };
}
