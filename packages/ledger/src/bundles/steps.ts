import { type Clock, canon1OfJson } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { BUNDLE_BYTES_MAX, type ReadNode, type SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Commit } from "../commits/commit.ts";
import { fieldsOf } from "../disclosures/disclosures.store.ts";
import { ledgerError } from "../errors.ts";
import { flatMembersOf, type PassportFacts, passportOf, type Step, soundStep } from "./passport.ts";

/** What is exported, and how much of it. */
export interface BundleWishes {
  /** Id of the commit the chain ends with. */
  readonly tip: string;
  /** Whether a commit's field is to be disclosed. */
  readonly disclose: (name: string, commit: Commit) => boolean;
  /** Leaves out `signed` and `receipt` too: they hold unsalted hashes of the content (docs/proof.md section 3). */
  readonly bare?: boolean;
}

/** The steps of a chain as they stand in a bundle; texts are canon-1. */
export interface WrittenSteps {
  /** For `chain`. */
  readonly passports: readonly string[];
  readonly commits: readonly string[];
  readonly disclosures: readonly string[];
  /** How often each field is disclosed, and how often each stays closed or is erased. */
  readonly open: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  /** Agents the steps name, in the order they appear. */
  readonly peers: readonly string[];
}

export interface StepPorts {
  readonly clock: Clock;
  readonly signer: Signer;
  readonly readNode: ReadNode;
  /** What the steps' proofs lead to. */
  readonly checkpoint: SignedCheckpoint;
}

/** Always disclosed, unless `bare`: without them no stranger can check who said a message or took it. */
const PROVING_FIELDS: ReadonlySet<string> = new Set(["signed", "receipt"]);
/** Steps between two turns given to others. */
const TURN_STEPS = 64;

/** @throws LEDGER_DAMAGED, BUNDLE_TOO_LARGE */
export async function writeSteps(
  read: Read,
  { clock, signer, readNode, checkpoint }: StepPorts,
  wishes: BundleWishes,
  chain: readonly Commit[],
  facts: PassportFacts,
): Promise<WrittenSteps> {
  const passports: string[] = [];
  const commits: string[] = [];
  const disclosures: string[] = [];
  const peers = new Set<string>();
  const open: Record<string, number> = {};
  const closed: Record<string, number> = {};
  const room = createRoom();
  for (const [at, commit] of chain.entries()) {
    if (at % TURN_STEPS === TURN_STEPS - 1) await clock.turn();
    const step = soundStep(commit, chain[at - 1], facts.agentId);
    if (step.payload.peer !== null) peers.add(step.payload.peer);
    const passport = passportOf(step, facts);
    const flat = await flatMembersOf(step, facts, signer.sign, readNode, checkpoint);
    passports.push(room.take(canon1OfJson(passport)));
    commits.push(room.take(canon1OfJson({ ...passport, ...flat })));
    const shown = await disclosuresOf(read, step, wishes);
    for (const { text } of shown) disclosures.push(room.take(text));
    const names = new Set(shown.map(({ name }) => name));
    for (const name of Object.keys(step.payload.fields)) countOne(names.has(name) ? open : closed, name);
  }
  return { passports, commits, disclosures, open, closed, peers: [...peers] };
}

function countOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

async function disclosuresOf(read: Read, { commit }: Step, wishes: BundleWishes) {
  const isShown = (name: string) => (PROVING_FIELDS.has(name) ? !wishes.bare : wishes.disclose(name, commit));
  const fields = await fieldsOf(read, commit.position);
  return fields
    .filter(({ name }) => isShown(name))
    .map(({ name, salt, value }) => ({
      name,
      text: canon1OfJson({ commit: commit.integrityHash, name, salt, value }),
    }));
}

/** Refuses what no verifier would read, before it fills the memory. */
function createRoom() {
  let characters = 0;
  return {
    take(text: string): string {
      characters += text.length;
      if (characters > BUNDLE_BYTES_MAX) throw ledgerError("BUNDLE_TOO_LARGE");
      return text;
    },
  };
}
