import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { checkpointText, type SignedCheckpoint, witnessId } from "@darkmatter/proof";
import { insertWitnessSignature, sizeSignedBy, sizeWitnessed } from "../checkpoints/checkpoints.store.ts";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Log } from "../log/log.ts";
import type { LedgerPeer, LedgerPorts } from "../ports.ts";
import { createOlderState } from "./older-state.ts";
import type { PeerAnswer, PostToPeer } from "./peer-calls.ts";
import { refusalCodeOf } from "./refusals.ts";
import { testimonyOf, witnessRequestBody } from "./witness.ts";

/** Witnesses asked in a round, best impression first (mesh.md 22.6). */
export const WITNESSES_MAX = 5;
/** So many new commits make a round due at once, a single one after `ROUND_AFTER_MS`. */
export const COMMITS_PER_ROUND = 64;
export const ROUND_AFTER_MS = MINUTE_MS;
/** At least this long between rounds: a busy node must not flood its peers. */
export const ROUND_GAP_MS = 10 * SECOND_MS;
const WITNESS_TIMEOUT_MS = 10 * SECOND_MS;

/** What came of asking one witness. Only `unanswered` is tried again before the log grows. */
export interface Asked {
  readonly agentId: string;
  readonly outcome: "signed" | "refused" | "invalid" | "unanswered";
  /** Why not, for a log: an error's or a refusal's code. */
  readonly reason: string;
}

/** Having peers sign what this log signed about itself. */
export interface Asking {
  /** Does a round when one is due. */
  poll(): Promise<void>;
  /** Signs the log as it is and asks the witnesses now; with no witness it does neither. One round at a time. */
  ask(): Promise<readonly Asked[]>;
  /** Resolves once no round is under way, however it ended. */
  idle(): Promise<void>;
}

export function createAsking(
  ports: Pick<LedgerPorts, "db" | "clock" | "signer" | "verifier" | "peers" | "report">,
  log: Log,
  checkpoints: Checkpoints,
  post: PostToPeer,
): Asking {
  const { db, clock, signer, verifier, peers, report } = ports;
  let round: Promise<readonly Asked[]> | undefined;
  let lastRoundMs = Number.NEGATIVE_INFINITY;
  /** Size of the tree that was asked about last. */
  let askedSize: number | undefined;
  let failing: ReadonlySet<string> = new Set();
  let isOwed = false;
  /** Whether the witnesses were shown what was signed before this process. */
  let hasShown = false;
  const older = createOlderState(ports, log, checkpoints);

  async function isDue(): Promise<boolean> {
    const sinceMs = clock.monotonic() - lastRoundMs;
    if (round || sinceMs < ROUND_GAP_MS) return false;
    const head = await log.head(db);
    askedSize ??= await sizeWitnessed(db);
    const grownBy = (head?.size ?? 0) - askedSize;
    return grownBy >= COMMITS_PER_ROUND || (sinceMs >= ROUND_AFTER_MS && (grownBy > 0 || isOwed));
  }

  async function doRound(): Promise<readonly Asked[]> {
    const witnesses = (await peers.witnesses()).slice(0, WITNESSES_MAX);
    if (witnesses.length === 0) return [];
    lastRoundMs = clock.monotonic();
    if (!hasShown) await showAgain(witnesses);
    const checkpoint = await db.write((tx) => checkpoints.make(tx));
    if (!checkpoint) return [];
    const asked = await Promise.all(witnesses.map((witness) => askWitness(witness, checkpoint)));
    askedSize = checkpoint.tree_size;
    isOwed = asked.some(({ outcome }) => outcome === "unanswered");
    reportFailures(asked);
    return asked;
  }

  /**
   * Each witness what it signed last, before it is shown anything new: one that has signed more of this log since says
   * so, and nothing that it holds is contradicted yet.
   */
  async function showAgain(witnesses: readonly LedgerPeer[]): Promise<void> {
    const lasts = await Promise.all(
      witnesses.map(async (witness) => {
        const known = await sizeSignedBy(db, witness.agentId);
        const [signed] = known === 0 ? [] : await checkpoints.from(db, known - 1, { limit: 1 });
        return signed && lastOf(await send(witness, signed, 0));
      }),
    );
    for (const last of lasts) if (last) await older.isOlderThan(last);
    hasShown = true;
  }

  /** What a witness that refuses says it signed last, if this log signed it. */
  async function lastOf(answer: PeerAnswer): Promise<SignedCheckpoint | undefined> {
    const isRefusal = answer.kind === "answered" && answer.status === 409;
    return isRefusal ? older.ownCheckpoint(answer.body.previous) : undefined;
  }

  /** A witness that stays away is reported when it begins to, not each minute. */
  function reportFailures(asked: readonly Asked[]): void {
    const failed = asked.filter(({ outcome, reason }) => outcome !== "signed" && reason !== "ABORTED");
    for (const { agentId, outcome, reason } of failed) {
      if (!failing.has(agentId)) report(`ledger.witness_${outcome}`, { witness: agentId, reason });
    }
    failing = new Set(failed.map(({ agentId }) => agentId));
  }

  async function askWitness(witness: LedgerPeer, checkpoint: SignedCheckpoint): Promise<Asked> {
    const known = await sizeSignedBy(db, witness.agentId);
    if (known === checkpoint.tree_size) return { agentId: witness.agentId, outcome: "signed", reason: "" };
    const answer = await send(witness, checkpoint, known);
    const last = await lastOf(answer);
    if (last && (await older.isOlderThan(last)))
      return { agentId: witness.agentId, outcome: "refused", reason: "STATE_OLDER" };
    const isProvable = last && last.tree_size <= checkpoint.tree_size && needsConsistency(answer);
    return judge(witness, checkpoint, isProvable ? await send(witness, checkpoint, last.tree_size) : answer);
  }

  /** `firstSize` is the tree the witness signed last, 0 for none. */
  async function send(
    witness: LedgerPeer,
    checkpoint: SignedCheckpoint,
    firstSize: number,
  ): Promise<PeerAnswer> {
    const proof = firstSize === 0 ? [] : await log.consistency(db, firstSize, checkpoint.tree_size);
    const consistency = firstSize === 0 ? null : { first_size: firstSize, proof };
    const body = witnessRequestBody(signer.agentId, checkpoint, consistency);
    return post(witness, "checkpoint", body, WITNESS_TIMEOUT_MS);
  }

  async function judge(
    { agentId, name }: LedgerPeer,
    checkpoint: SignedCheckpoint,
    answer: PeerAnswer,
  ): Promise<Asked> {
    if (answer.kind === "silent") return { agentId, outcome: "unanswered", reason: answer.reason };
    const { status, body } = answer;
    if (status === 429 || status >= 500) return { agentId, outcome: "unanswered", reason: `HTTP ${status}` };
    if (status !== 200) {
      return { agentId, outcome: "refused", reason: refusalCodeOf(body.code) ?? `HTTP ${status}` };
    }
    const testimony = testimonyOf(body);
    const holds =
      testimony?.witnessId === witnessId(agentId) &&
      (await verifier.verify(agentId, checkpointText(checkpoint), testimony.signature));
    if (!holds) return { agentId, outcome: "invalid", reason: "not its signature of this checkpoint" };
    const signature = { ...testimony, agentId, name };
    await db.write((tx) => insertWitnessSignature(tx, checkpoint.tree_size, signature));
    return { agentId, outcome: "signed", reason: "" };
  }

  function ask(): Promise<readonly Asked[]> {
    round ??= doRound().finally(() => {
      round = undefined;
    });
    return round;
  }

  return {
    async poll() {
      if ((await isDue()) && !(await checkpoints.newer(db))) await ask();
    },
    ask,
    async idle() {
      await Promise.allSettled([round]);
    },
  };
}

function needsConsistency(answer: PeerAnswer): boolean {
  return answer.kind === "answered" && answer.status === 409 && answer.body.code === "CONSISTENCY_NEEDED";
}
