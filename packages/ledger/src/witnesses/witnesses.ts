import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Log } from "../log/log.ts";
import type { LedgerPorts } from "../ports.ts";
import { type Asked, createAsking } from "./asking.ts";
import { createEvidenceKeeper, type EvidenceKeeper } from "./evidence.ts";
import { createPostToPeer } from "./peer-calls.ts";
import { allEvidence, type Evidence, findEvidence, lastWitnessed } from "./witnesses.store.ts";
import { createWitnessing, type Witnessing } from "./witnessing.ts";

/** Of an export: what this node last signed for a peer (docs/proof.md, section 3). */
export interface WitnessedExport {
  readonly agent_id: string;
  readonly checkpoint: SignedCheckpoint;
  readonly witness_sig: string;
  readonly witnessed_at: string;
}

/** Of an export: two checkpoints of a peer that cannot both be true. */
export interface EvidenceExport {
  readonly agent_id: string;
  readonly first: SignedCheckpoint;
  readonly second: SignedCheckpoint;
}

/** Peers that sign each other's checkpoints, and what comes to light by it (mesh.md 22.6). */
export interface Witnesses extends Witnessing, Pick<EvidenceKeeper, "accuse"> {
  /** Background work: asks when a round is due, and tells evidence that a stop kept from being told. */
  poll(): Promise<void>;
  /** Signs the log as it is and asks the witnesses now; with no witness it does neither. */
  ask(): Promise<readonly Asked[]>;
  /** The last checkpoint this node signed for each of these agents, in their order. */
  witnessed(read: Read, agentIds: readonly string[]): Promise<WitnessedExport[]>;
  evidenceAbout(read: Read, agentIds: readonly string[]): Promise<EvidenceExport[]>;
  /** All evidence held, newest first. */
  evidence(read: Read): Promise<Evidence[]>;
  /** Ends the calls under way and resolves once nothing is left to come. */
  stop(): Promise<void>;
  /** Resolves once what was found is told. */
  idle(): Promise<void>;
}

export function createWitnesses(ports: LedgerPorts, log: Log, checkpoints: Checkpoints): Witnesses {
  const stopping = new AbortController();
  const post = createPostToPeer(ports, stopping.signal);
  const keeper = createEvidenceKeeper(ports, post, stopping.signal);
  const asking = createAsking(ports, log, checkpoints, post);

  return {
    ...createWitnessing(ports, keeper),
    ask: asking.ask,
    accuse: keeper.accuse,

    async poll() {
      await keeper.tell();
      await asking.poll();
    },

    async witnessed(read, agentIds) {
      const found = await Promise.all(agentIds.map((agentId) => lastWitnessed(read, agentId)));
      return found.flatMap((one) => (one ? [witnessedExport(one)] : []));
    },

    async evidenceAbout(read, agentIds) {
      const found = await Promise.all(agentIds.map((agentId) => findEvidence(read, agentId)));
      return found.flatMap((one) =>
        one ? [{ agent_id: one.agentId, first: one.first, second: one.second }] : [],
      );
    },

    evidence: allEvidence,
    idle: () => keeper.idle(),

    async stop() {
      stopping.abort();
      await Promise.all([asking.idle(), keeper.idle()]);
    },
  };
}

function witnessedExport(witnessed: NonNullable<Awaited<ReturnType<typeof lastWitnessed>>>): WitnessedExport {
  const { agentId, checkpoint, signature, witnessedAt } = witnessed;
  return { agent_id: agentId, checkpoint, witness_sig: signature, witnessed_at: witnessedAt };
}
