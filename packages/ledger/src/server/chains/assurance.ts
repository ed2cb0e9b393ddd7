import type { Read } from "@darkmatter/store";
import { latestCheckpoint, sizeWitnessed } from "../../checkpoints/checkpoints.store.ts";
import type { StoredCommit } from "../commits/commit.ts";

export type AssuranceLevel = "L1" | "L2" | "L3";

/** How far the log is signed: what a commit's place in it says of its assurance. Sizes of trees. */
export interface LogStanding {
  /** Of the newest checkpoint; 0 while there is none. */
  readonly checkpointed: number;
  /** Of the newest checkpoint that a witness signed; 0 while none did. */
  readonly witnessed: number;
}

export const NOT_STANDING: LogStanding = { checkpointed: 0, witnessed: 0 };

/** A level (ledger.md 2.9), and the parts it is made of. */
export interface Assurance {
  readonly level: AssuranceLevel;
  readonly parts: {
    readonly chain: boolean;
    readonly checkpointed: boolean;
    readonly witnessed: boolean;
    readonly client_signed: boolean;
  };
}

export async function readStanding(read: Read): Promise<LogStanding> {
  const newest = await latestCheckpoint(read);
  return { checkpointed: newest?.tree_size ?? 0, witnessed: await sizeWitnessed(read) };
}

/** What was found of a commit when it was looked at. */
export interface AssuranceFacts {
  /** Its hashes are those of what is stored, and what was signed of it holds. */
  readonly isSound: boolean;
  /** A registered key's attestation of it holds. */
  readonly isClientSigned: boolean;
  /** Nothing speaks against its place in the log. */
  readonly isInLog: boolean;
}

/** The assurance of a commit, wherever it is shown: what its row says of itself does not count. */
export function assuranceOf(
  { position }: Pick<StoredCommit, "position">,
  { isSound, isClientSigned, isInLog }: AssuranceFacts,
  { checkpointed, witnessed }: LogStanding,
): Assurance {
  const isPlaced = isSound && isInLog;
  const parts = {
    chain: isSound,
    checkpointed: isPlaced && position < checkpointed,
    witnessed: isPlaced && position < witnessed,
    client_signed: isSound && isClientSigned,
  };
  return { level: parts.client_signed ? "L3" : parts.witnessed ? "L2" : "L1", parts };
}
