import { reasonOf, SECOND_MS } from "@darkmatter/core";
import { contradiction, type SignedCheckpoint } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { createWindowLimiter } from "@darkmatter/surface";
import type { LedgerPeer, LedgerPorts } from "../ports.ts";
import { secondsTime } from "../times.ts";
import { isOwnCheckpoint } from "./own-checkpoint.ts";
import type { PeerAnswer, PostToPeer } from "./peer-calls.ts";
import { type Refused, refused } from "./refusals.ts";
import { type Accusation, accusationOf, type Body } from "./witness.ts";
import { type Evidence, findEvidence, insertEvidence, markTold, untoldEvidence } from "./witnesses.store.ts";

/**
 * Pieces of evidence taken in a minute, whoever brings them (mesh.md 22.6): of strangers, and as many of our peers.
 * Keys cost nothing, so that strangers can accuse themselves without end; no peer is among those keys.
 */
export const ACCUSATIONS_PER_MINUTE = 10;
/** Accusations a minute from one address that are looked at: each costs verifications. */
export const ACCUSATIONS_PER_ADDRESS = 30;
const TELL_TIMEOUT_MS = 5 * SECOND_MS;
const TOLD_AT_ONCE_MAX = 16;

/** What is to be kept about an agent, and from whom it came. */
export type Finding = Pick<Evidence, "agentId" | "first" | "second" | "from">;

/** Proof that a log has two histories: taken, kept and told. */
export interface EvidenceKeeper {
  /** Checks what another node claims to prove, and keeps it when it does. `address` is the caller's socket. */
  accuse(body: Body, address: string): Promise<Refused | { readonly kind: "recorded" }>;
  /** Keeps what the caller has verified, and tells our peers once it is on disk. */
  keep(tx: Write, finding: Finding, connected: readonly LedgerPeer[]): Promise<"new" | "known" | "no room">;
  /** Tells our peers what they were not told yet. One at a time; a second call waits for the first. */
  tell(): Promise<void>;
  /** Resolves once nothing is being told. */
  idle(): Promise<void>;
}

export function createEvidenceKeeper(
  ports: Pick<LedgerPorts, "db" | "clock" | "verifier" | "signer" | "peers" | "report">,
  post: PostToPeer,
  stop: AbortSignal,
): EvidenceKeeper {
  const { db, clock, verifier, signer, peers, report } = ports;
  const limiter = createWindowLimiter({ clock });
  let telling: Promise<void> = Promise.resolve();

  async function signedBoth(accused: Suspect, { first, second }: Accusation): Promise<boolean> {
    const { verify } = verifier;
    return (await isOwnCheckpoint(first, accused, verify)) && isOwnCheckpoint(second, accused, verify);
  }

  /** Of the one named, or among our peers, who signed both. */
  async function accused(
    accusation: Accusation,
    connected: readonly LedgerPeer[],
  ): Promise<string | undefined> {
    const { agentId } = accusation;
    for (const suspect of suspects(agentId, connected)) {
      if (await signedBoth(suspect, accusation)) return suspect.agentId;
    }
    return undefined;
  }

  async function keep(tx: Write, finding: Finding, connected: readonly LedgerPeer[]) {
    if (await findEvidence(tx, finding.agentId)) return "known" as const;
    const recordedAt = secondsTime(clock.now());
    const kept = connected.map((peer) => peer.agentId);
    if (!(await insertEvidence(tx, { ...finding, recordedAt }, kept))) return "no room" as const;
    tx.afterCommit(() => {
      report("ledger.evidence", { agent: finding.agentId, from: finding.from ?? "unknown" });
      void tell();
    });
    return "new" as const;
  }

  function tell(): Promise<void> {
    telling = telling
      .then(tellAll)
      .catch((error: unknown) => report("ledger.evidence_untold", { reason: reasonOf(error) }));
    return telling;
  }

  async function tellAll(): Promise<void> {
    for (const evidence of await untoldEvidence(db)) {
      await tellPeers(evidence);
      // What a stop cut short is told again after the next start: who heard it before has it already.
      if (stop.aborted) return;
      await db.write((tx) => markTold(tx, evidence.agentId));
    }
  }

  async function tellPeers({ agentId, first, second, from }: Evidence): Promise<void> {
    const listeners = (await peers.all()).filter((peer) => peer.agentId !== agentId && peer.agentId !== from);
    const body = { agent_id: agentId, from_agent_id: signer.agentId, first, second };
    let missed = 0;
    for (let told = 0; told < listeners.length; told += TOLD_AT_ONCE_MAX) {
      const batch = listeners.slice(told, told + TOLD_AT_ONCE_MAX);
      const answers = await Promise.all(batch.map((peer) => post(peer, "evidence", body, TELL_TIMEOUT_MS)));
      missed += answers.filter(isMissed).length;
    }
    if (missed > 0 && !stop.aborted)
      report("ledger.evidence_missed", { agent: agentId, missed, of: listeners.length });
  }

  return {
    async accuse(body, address) {
      const accusation = accusationOf(body);
      if (!accusation) return refused("MALFORMED");
      const { first, second } = accusation;
      if (!contradiction(first, second)) return refused("NO_EVIDENCE");
      if (!limiter.take(`from ${address}`, ACCUSATIONS_PER_ADDRESS)) return refused("TOO_MANY");
      const connected = await peers.all();
      const agentId = await accused(accusation, connected);
      if (agentId === undefined) return refused("NO_EVIDENCE");
      // Each of our peers may bring the same: only what is news uses up a place, and only what is true.
      if (await findEvidence(db, agentId)) return { kind: "recorded" };
      const about = connected.some((peer) => peer.agentId === agentId) ? "peers" : "strangers";
      if (!limiter.take(about, ACCUSATIONS_PER_MINUTE)) return refused("TOO_MANY");
      const from = connected.some((peer) => peer.agentId === accusation.from) ? accusation.from : undefined;
      const finding = { agentId, first, second, from: from ?? null };
      const kept = await db.write((tx) => keep(tx, finding, connected));
      return kept === "no room" ? refused("NO_ROOM") : { kind: "recorded" };
    },
    keep,
    tell,
    idle: () => telling,
  };
}

type Suspect = Pick<LedgerPeer, "agentId" | "namesLog">;

/** Of an agent we know nothing of, only what is named after its log is surely its own. */
function suspects(agentId: string | undefined, connected: readonly LedgerPeer[]): readonly Suspect[] {
  if (agentId === undefined) return connected;
  return [connected.find((peer) => peer.agentId === agentId) ?? { agentId, namesLog: true }];
}

/** Whether a peer did not hear what it was told, or had no time for it. */
function isMissed(answer: PeerAnswer): boolean {
  return answer.kind === "silent" || answer.status === 429 || answer.status >= 500;
}

/** Two checkpoints in the order in which they are evidence; `undefined` when both can be true. */
export function evidenceIn(
  one: SignedCheckpoint,
  other: SignedCheckpoint,
): Pick<Evidence, "first" | "second"> | undefined {
  if (contradiction(one, other)) return { first: one, second: other };
  return contradiction(other, one) ? { first: other, second: one } : undefined;
}
