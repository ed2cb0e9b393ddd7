import { DarkMatterError, isJsonObject, type JsonObject, parseJson, SECOND_MS } from "@darkmatter/core";
import { type SignedCheckpoint, signedCheckpointOf, spkiPem } from "@darkmatter/proof";
import { sizeSignedBy } from "../../checkpoints/checkpoints.store.ts";
import type { Log } from "../../log/log.ts";
import type { OlderState } from "../../witnesses/older-state.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { RegisteredWitness } from "./log.store.ts";
import { isOfLog, type LogKeys } from "./log-keys.ts";
import type { KeepSignature } from "./witness-signatures.ts";

const WITNESS_TIMEOUT_MS = 10 * SECOND_MS;
const ANSWER_BYTES_MAX = 16 * 1024;

/** What came of asking one witness. Only `unanswered` is tried again before there is a newer checkpoint. */
export interface AskedWitness {
  readonly witnessId: string;
  readonly outcome: "signed" | "refused" | "invalid" | "unanswered";
  /** Why not, for a log: nothing of the witness's own text. */
  readonly reason: string;
}

type Outcome = readonly [AskedWitness["outcome"], AskedWitness["reason"]];
type Answered = { readonly kind: "answered"; readonly status: number; readonly body: JsonObject };
type WitnessAnswer = Answered | { readonly kind: "silent"; readonly reason: string };

export interface AskParts {
  readonly ports: LedgerServerPorts;
  readonly log: Log;
  readonly keys: LogKeys;
  readonly older: OlderState;
  readonly keepSignature: KeepSignature;
  /** Ends the calls under way. */
  readonly stopping: AbortSignal;
}

/** Has one witness sign a checkpoint, unless it did, and keeps its signature. */
type AskWitness = (witness: RegisteredWitness, checkpoint: SignedCheckpoint) => Promise<AskedWitness>;

export function createAskWitness(parts: AskParts): AskWitness {
  const { keys, older, keepSignature } = parts;
  const { db, verifier } = parts.ports;

  /** The size that a witness which refuses says it signed last; `older` where this log no longer has that. */
  async function sizeSaid({ tree_size }: SignedCheckpoint, answer: WitnessAnswer): Promise<number | "older"> {
    if (answer.kind !== "answered" || answer.status !== 409) return 0;
    const { previous, last_size: size } = answer.body;
    const signed = isJsonObject(previous) ? signedCheckpointOf(previous) : undefined;
    if (signed && (await isOfLog(signed, keys, verifier)) && (await older.isOlderThan(signed)))
      return "older";
    return typeof size === "number" && Number.isSafeInteger(size) && size >= 1 && size <= tree_size
      ? size
      : 0;
  }

  /** What an answer says, once it is the last. */
  async function judge(
    { status, body }: Answered,
    checkpoint: SignedCheckpoint,
    witness: RegisteredWitness,
  ): Promise<Outcome> {
    if (status === 429 || status >= 500) return ["unanswered", `HTTP ${status}`];
    if (status !== 200) return ["refused", `HTTP ${status}`];
    if (body.error === "already_signed" && body.witness_sig === undefined)
      return ["signed", "already_signed"];
    if (!isAbout(body, checkpoint, witness)) return ["invalid", "of another checkpoint or witness"];
    const kept = await keepSignature(witness, checkpoint, {
      signature: body.witness_sig,
      witnessedAt: body.witnessed_at,
    });
    return kept === "stored" || kept === "known" ? ["signed", ""] : ["invalid", `signature ${kept}`];
  }

  async function ask(witness: RegisteredWitness, checkpoint: SignedCheckpoint): Promise<Outcome> {
    const known = await sizeSignedBy(db, witness.publicKey);
    if (known === checkpoint.tree_size) return ["signed", ""];
    let answer = await send(parts, witness, checkpoint, known < checkpoint.tree_size ? known : 0);
    const said = await sizeSaid(checkpoint, answer);
    if (said === "older") return ["refused", "STATE_OLDER"];
    // It signed something that this log never heard back.
    if (said !== 0 && said !== known) answer = await send(parts, witness, checkpoint, said);
    if (answer.kind === "answered") return judge(answer, checkpoint, witness);
    return [answer.reason === "ANSWER_TOO_LARGE" ? "invalid" : "unanswered", answer.reason];
  }

  return async (witness, checkpoint) => {
    const [outcome, reason] = await ask(witness, checkpoint);
    return { witnessId: witness.witnessId, outcome, reason };
  };
}

/** Sends a checkpoint, with the proof that the log only grew since a size; 0 for none. */
async function send(
  { ports: { db, wire, config }, log, keys, stopping }: AskParts,
  { endpoint }: RegisteredWitness,
  checkpoint: SignedCheckpoint,
  firstSize: number,
): Promise<WitnessAnswer> {
  const proof = firstSize === 0 ? [] : await log.consistency(db, firstSize, checkpoint.tree_size);
  try {
    const { status, body } = await wire.request({
      method: "POST",
      url: endpoint ?? "",
      headers: {
        "content-type": "application/json",
        "x-darkmatter-checkpoint-id": checkpoint.checkpoint_id,
      },
      body: JSON.stringify({
        checkpoint,
        darkmatter_pubkey: spkiPem(keys.current),
        spec_url: `${config.baseUrl}/integrity`,
        ...(firstSize > 0 && { consistency: { first_size: firstSize, proof } }),
      }),
      timeoutMs: WITNESS_TIMEOUT_MS,
      maxBytes: ANSWER_BYTES_MAX,
      // An operator registered it: it may well stand in the operator's own network.
      reach: "private",
      signal: stopping,
    });
    const parsed = parseJson(new TextDecoder().decode(body));
    return { kind: "answered", status, body: isJsonObject(parsed) ? parsed : {} };
  } catch (error) {
    if (error instanceof DarkMatterError) return { kind: "silent", reason: error.code };
    throw error;
  }
}

/** Whether an answer is of this witness, about this checkpoint; what it does not say is left to its signature. */
function isAbout(body: JsonObject, checkpoint: SignedCheckpoint, { witnessId }: RegisteredWitness): boolean {
  const { checkpoint_id, tree_root, tree_size } = checkpoint;
  const said: readonly (readonly [unknown, unknown])[] = [
    [body.witness_id, witnessId],
    [body.checkpoint_id, checkpoint_id],
    [body.tree_root, tree_root],
    [body.tree_size, tree_size],
  ];
  return said.every(([theirs, ours]) => theirs === undefined || theirs === ours);
}
