import { checkpointText, envelopeTime, isSignature, type SignedCheckpoint } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { insertWitnessSignature, witnessSignatures } from "../../checkpoints/checkpoints.store.ts";
import { secondsTime } from "../../times.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { RegisteredWitness } from "./log.store.ts";

/** What became of a witness's signature. Only a valid one is stored, and of a witness one for each checkpoint. */
export type Kept = "stored" | "known" | "invalid" | "different";

export type KeepSignature = (
  witness: RegisteredWitness,
  checkpoint: SignedCheckpoint,
  /** As the witness sent them. */
  sent: { readonly signature: unknown; readonly witnessedAt: unknown },
) => Promise<Kept>;

/** @param onStored told of the size of the tree that got another signature */
export function createKeepSignature(
  { db, clock, verifier, report }: LedgerServerPorts,
  onStored: (treeSize: number) => void,
): KeepSignature {
  return async ({ witnessId, publicKey, name }, checkpoint, { signature, witnessedAt }) => {
    const complain = (reason: Kept): Kept => {
      report("ledger.witness_signature", {
        witness: witnessId,
        checkpoint: checkpoint.checkpoint_id,
        reason,
      });
      return reason;
    };
    const holds =
      isSignature(signature) && (await verifier.verify(publicKey, checkpointText(checkpoint), signature));
    if (!holds) return complain("invalid");
    // Nobody signs the time: it is what the witness says.
    const time = typeof witnessedAt === "string" ? envelopeTime(witnessedAt)?.time : undefined;
    const kept = await db.write((tx) =>
      keep(tx, checkpoint, {
        witnessId,
        agentId: publicKey,
        name,
        signature,
        witnessedAt: time ?? secondsTime(clock.now()),
      }),
    );
    if (kept === "stored") onStored(checkpoint.tree_size);
    return kept === "different" ? complain(kept) : kept;
  };
}

async function keep(
  tx: Write,
  checkpoint: SignedCheckpoint,
  signature: Parameters<typeof insertWitnessSignature>[2],
): Promise<Kept> {
  const stored = async () =>
    (await witnessSignatures(tx, checkpoint.checkpoint_id)).find(
      ({ witnessId }) => witnessId === signature.witnessId,
    )?.signature;
  const before = await stored();
  if (before === undefined) await insertWitnessSignature(tx, checkpoint.tree_size, signature);
  // Read again: another process may have been first.
  const now = before ?? (await stored());
  if (now !== signature.signature) return "different";
  return before === undefined ? "stored" : "known";
}
