import { hasCode } from "@darkmatter/core";
import type { Commit, CommitPayload, Erasure, Field, LedgerReader, ProblemKind } from "@darkmatter/ledger";
import type { Read } from "@darkmatter/store";
import type { CommandInput } from "@darkmatter/surface";
import { look } from "../adapters/visit.ts";
import type { Layer } from "../assembly.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { owningOptions } from "./context.ts";

/** A ledger, and the database it is read from. */
export interface LedgerLook {
  readonly db: Read;
  readonly ledger: LedgerReader;
}

/** Reads the ledger a command means from its database alone, whether or not its node runs. @throws NO_NODE, DATABASE_* */
export function lookingAtLedger<T>(
  input: CommandInput,
  main: MainOptions,
  body: (look: LedgerLook, databaseFile: string) => Promise<T>,
): Promise<T> {
  return look(owningOptions(input, main), ({ agent, db, layer }) =>
    body({ db, ledger: ledgerOf(layer) }, agent.places.database),
  );
}

/** @throws NO_LEDGER */
export function ledgerOf({ ledger }: Layer): LedgerReader {
  if (!ledger) throw nodeError("NO_LEDGER");
  return ledger;
}

/** One commit of a chain, with what is still held of it. */
export interface ChainStep {
  readonly commit: Commit;
  /** `null` when it cannot be read. */
  readonly payload: CommitPayload | null;
  readonly problems: readonly ProblemKind[];
  readonly fields: readonly Field[];
  readonly erasures: readonly Erasure[];
}

/** The chain up to a commit, first one first, each checked. @throws NO_SUCH_COMMIT, LEDGER_DAMAGED */
export async function chainSteps({ db, ledger }: LedgerLook, commitId: string): Promise<ChainStep[]> {
  const steps: ChainStep[] = [];
  for (const commit of await ledger.commits.chain(db, commitId)) {
    steps.push({
      ...(await checkedCommit({ db, ledger }, commit)),
      fields: await ledger.disclosures.fieldsOf(db, commit.position),
      erasures: await ledger.disclosures.erasuresOf(db, commit.position),
    });
  }
  return steps;
}

export type CheckedCommit = Pick<ChainStep, "commit" | "payload" | "problems">;

export async function checkedCommit({ db, ledger }: LedgerLook, commit: Commit): Promise<CheckedCommit> {
  return { commit, payload: await readablePayload(commit), problems: await ledger.checkCommit(db, commit) };
}

async function readablePayload(commit: Commit): Promise<CommitPayload | null> {
  const { payloadOf } = await import("@darkmatter/ledger");
  try {
    return payloadOf(commit);
  } catch (error) {
    if (hasCode(error, "LEDGER_DAMAGED")) return null;
    throw error;
  }
}
