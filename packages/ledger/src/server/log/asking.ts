import {
  DarkMatterError,
  isJsonObject,
  type JsonObject,
  MINUTE_MS,
  parseJson,
  SECOND_MS,
} from "@darkmatter/core";
import { type SignedCheckpoint, signedCheckpointOf, spkiPem } from "@darkmatter/proof";
import { sizeSignedBy } from "../../checkpoints/checkpoints.store.ts";
import type { Checkpoints } from "../../checkpoints/checkpoints.ts";
import type { Log } from "../../log/log.ts";
import { createOlderState } from "../../witnesses/older-state.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { allWitnesses, type RegisteredWitness } from "./log.store.ts";
import { isOfLog, type LogKeys } from "./log-keys.ts";
import type { KeepSignature } from "./witness-signatures.ts";

const WITNESS_TIMEOUT_MS = 10 * SECOND_MS;
const ANSWER_BYTES_MAX = 16 * 1024;
/** At least this long between rounds: a witness takes ten requests a minute. */
export const ROUND_GAP_MS = 10 * SECOND_MS;
/** A witness that did not answer is asked again after this long, though the log did not grow. */
const RETRY_MS = MINUTE_MS;

/** What came of asking one witness. Only `unanswered` is tried again before there is a newer checkpoint. */
export interface AskedWitness {
  readonly witnessId: string;
  readonly outcome: "signed" | "refused" | "invalid" | "unanswered";
  /** Why not, for a log: nothing of the witness's own text. */
  readonly reason: string;
}

/** Having registered witnesses sign what this log says of itself (ledger.md 2.10). */
export interface Asking {
  /** Asks all that have not signed the newest checkpoint. */
  round(): Promise<readonly AskedWitness[]>;
  /** Does a round when one is due. */
  poll(): Promise<void>;
}

type WitnessAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly body: JsonObject }
  | { readonly kind: "silent"; readonly reason: string };

export interface AskingParts {
  readonly ports: LedgerServerPorts;
  readonly log: Log;
  readonly checkpoints: Checkpoints;
  readonly keys: LogKeys;
  readonly keepSignature: KeepSignature;
  /** Ends the calls under way. */
  readonly stopping: AbortSignal;
}

export function createAsking({
  ports,
  log,
  checkpoints,
  keys,
  keepSignature,
  stopping,
}: AskingParts): Asking {
  const { db, clock, wire, logKey, verifier, report, config } = ports;
  const older = createOlderState({ db, signer: logKey, verifier, report }, log, checkpoints);
  let lastRoundMs = Number.NEGATIVE_INFINITY;
  /** Of the tree that was asked about last. */
  let askedSize = 0;
  let isOwed = false;
  let failing: ReadonlySet<string> = new Set();
  let running: Promise<readonly AskedWitness[]> | undefined;

  async function send(
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

  async function ask(witness: RegisteredWitness, checkpoint: SignedCheckpoint): Promise<AskedWitness> {
    const outcome = (outcome: AskedWitness["outcome"], reason: string): AskedWitness => ({
      witnessId: witness.witnessId,
      outcome,
      reason,
    });
    const known = await sizeSignedBy(db, witness.publicKey);
    if (known === checkpoint.tree_size) return outcome("signed", "");
    let answer = await send(witness, checkpoint, known < checkpoint.tree_size ? known : 0);
    const said = await sizeSaid(checkpoint, answer);
    if (said === "older") return outcome("refused", "STATE_OLDER");
    // It signed something that this log never heard back.
    if (said !== 0 && said !== known) answer = await send(witness, checkpoint, said);
    if (answer.kind === "silent")
      return outcome(answer.reason === "ANSWER_TOO_LARGE" ? "invalid" : "unanswered", answer.reason);
    const { status, body } = answer;
    if (status === 429 || status >= 500) return outcome("unanswered", `HTTP ${status}`);
    if (status !== 200) return outcome("refused", `HTTP ${status}`);
    if (body.error === "already_signed" && body.witness_sig === undefined)
      return outcome("signed", "already_signed");
    if (!isAbout(body, checkpoint, witness)) return outcome("invalid", "of another checkpoint or witness");
    const kept = await keepSignature(witness, checkpoint, {
      signature: body.witness_sig,
      witnessedAt: body.witnessed_at,
    });
    return kept === "stored" || kept === "known"
      ? outcome("signed", "")
      : outcome("invalid", `signature ${kept}`);
  }

  /** A witness that stays away is reported when it begins to, not each minute. */
  function reportFailures(asked: readonly AskedWitness[]): void {
    const failed = asked.filter(({ outcome, reason }) => outcome !== "signed" && reason !== "ABORTED");
    for (const { witnessId, outcome, reason } of failed) {
      if (!failing.has(witnessId)) report(`ledger.witness_${outcome}`, { witness: witnessId, reason });
    }
    failing = new Set(failed.map(({ witnessId }) => witnessId));
  }

  async function doRound(): Promise<readonly AskedWitness[]> {
    const checkpoint = await checkpoints.latest(db);
    if (!checkpoint) return [];
    lastRoundMs = clock.monotonic();
    const witnesses = (await allWitnesses(db)).filter(({ endpoint }) => endpoint !== null);
    const asked = await Promise.all(witnesses.map((witness) => ask(witness, checkpoint)));
    askedSize = checkpoint.tree_size;
    isOwed = asked.some(({ outcome }) => outcome === "unanswered");
    reportFailures(asked);
    return asked;
  }

  /** Whoever comes while a round about the newest checkpoint is under way shares it: nobody is asked twice. */
  async function round(): Promise<readonly AskedWitness[]> {
    if (running) {
      const asked = await running;
      if ((await checkpoints.latest(db))?.tree_size === askedSize) return asked;
    }
    running ??= doRound().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    round,
    async poll() {
      const sinceMs = clock.monotonic() - lastRoundMs;
      if (sinceMs < ROUND_GAP_MS) return;
      const latest = await checkpoints.latest(db);
      const isNews = latest !== undefined && latest.tree_size !== askedSize;
      if (isNews || (isOwed && sinceMs >= RETRY_MS)) await round();
    },
  };
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
