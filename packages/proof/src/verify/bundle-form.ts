import { canon1, type ExactJson, ExactNumber, type ExactObject, isExactObject } from "@darkmatter/core";
import type { SignedCheckpoint } from "../checkpoint.ts";
import { hash, pemKey, prefixedHash, seconds, signature, signedCheckpoint } from "./forms.ts";
import {
  closedObject,
  constant,
  count,
  flag,
  listOf,
  Mismatch,
  openObject,
  orNull,
  pattern,
  type Read,
  text,
} from "./reader.ts";
import { type FlatMembers, NODE_STEP, type Passport, SERVER_STEP, type StepForms } from "./step-form.ts";

/** One commit of the chain: its passport, and the flat members that `commits` adds. */
export interface Step {
  readonly passport: Passport;
  readonly flat: FlatMembers;
}

export interface WitnessSignature {
  readonly witness_id: string;
  readonly witness_name: string | null;
  readonly witness_sig: string;
  readonly witnessed_at: string;
  readonly sig_valid: boolean;
  /** Hex. */
  readonly public_key_pem: string;
}

export interface EarlierCheckpoint {
  readonly checkpoint: SignedCheckpoint;
  readonly witness_signatures: readonly WitnessSignature[];
  readonly proof: readonly string[];
}

export interface Disclosure {
  /** Bare scheme 2. */
  readonly commit: string;
  readonly name: string;
  readonly salt: string;
  readonly value: ExactJson;
}

/** What this log signed for another as its witness. */
export interface Witnessed {
  readonly agent_id: string;
  readonly checkpoint: SignedCheckpoint;
  readonly witness_sig: string;
  readonly witnessed_at: string;
}

export interface Accusation {
  readonly agent_id: string;
  readonly first: SignedCheckpoint;
  readonly second: SignedCheckpoint;
}

/** The members of a node's log (docs/proof.md section 3, second table). */
export interface NodeMembers {
  readonly log: string;
  readonly consistency: readonly EarlierCheckpoint[];
  readonly disclosures: readonly Disclosure[];
  readonly witnessed: readonly Witnessed[];
  readonly evidence: readonly Accusation[];
  readonly export_sig: string;
}

interface Members {
  readonly metadata: {
    readonly export_id: string;
    readonly ctx_id: string;
    readonly lineage_root: string;
    readonly chain_length: number;
    readonly trace_id: string | null;
    readonly exported_at: string;
    readonly exported_by: string;
  };
  readonly integrity: {
    readonly root_hash: string;
    readonly tip_hash: string;
    readonly chain_hash: string;
    readonly timestamp_range: { readonly from: string; readonly to: string };
  };
  /** With the witnesses' signatures; `null` when none covers the tip. */
  readonly checkpoint:
    | (SignedCheckpoint & {
        readonly witness_signatures: readonly WitnessSignature[];
        readonly witness_count: number;
      })
    | null;
  readonly server_pubkey: { readonly public_key: string };
  readonly export_hash: string;
}

/** All of a bundle but its steps. */
export interface Frame extends Members {
  /** `null` for the export of a ledger server. */
  readonly node: NodeMembers | null;
}

/** A bundle in its form. */
export interface Bundle extends Frame {
  /** Root to tip; while it is being checked, up to the step that is looked at. Never empty. */
  readonly steps: readonly Step[];
}

const witnessSignatures = listOf<WitnessSignature>(
  closedObject({
    witness_id: pattern("the id of a witness", /^wit_[0-9a-f]{16}$/),
    witness_name: orNull(text),
    witness_sig: signature,
    witnessed_at: text,
    sig_valid: flag,
    public_key_pem: pemKey,
  }),
);

const coveringCheckpoint: Read<NonNullable<Members["checkpoint"]>> = (value) => ({
  ...signedCheckpoint("witness_signatures", "witness_count")(value),
  ...openObject({ witness_signatures: witnessSignatures, witness_count: count })(value),
});

/** Any JSON, null included. */
const anything: Read<ExactJson> = (value) => {
  if (value === undefined) throw new Mismatch("is missing");
  return value;
};

const nodeMembers = {
  log: pattern("mesh/ and the agent's key", /^mesh\/[0-9a-f]{64}$/),
  consistency: listOf<EarlierCheckpoint>(
    closedObject({
      checkpoint: signedCheckpoint(),
      witness_signatures: witnessSignatures,
      proof: listOf(hash),
    }),
  ),
  disclosures: listOf<Disclosure>(closedObject({ commit: hash, name: text, salt: text, value: anything })),
  witnessed: listOf<Witnessed>(
    closedObject({
      agent_id: hash,
      checkpoint: signedCheckpoint(),
      witness_sig: signature,
      witnessed_at: text,
    }),
  ),
  evidence: listOf<Accusation>(
    closedObject({ agent_id: hash, first: signedCheckpoint(), second: signedCheckpoint() }),
  ),
  export_sig: signature,
};
const readNode: Read<NodeMembers> = openObject(nodeMembers);

const topMembers = {
  _spec: openObject({
    bundle_version: constant("3.0"),
    spec_url: text,
    verifier_url: text,
    verify_command: text,
    phases: listOf(text),
  }),
  metadata: openObject({
    export_version: constant("1.0"),
    export_id: pattern("the id of an export", /^bundle_[0-9]+_[0-9a-f]{8}$/),
    ctx_id: text,
    lineage_root: text,
    chain_length: count,
    trace_id: orNull(text),
    exported_at: text,
    exported_by: text,
  }),
  integrity: closedObject({
    chain_intact: constant(true),
    algorithm: constant("sha256"),
    root_hash: prefixedHash,
    tip_hash: prefixedHash,
    chain_hash: prefixedHash,
    timestamp_range: closedObject({ from: seconds, to: seconds }),
  }),
  chain: anything,
  commits: anything,
  checkpoint: orNull(coveringCheckpoint),
  server_pubkey: closedObject({
    algorithm: constant("Ed25519"),
    public_key: pemKey,
    use: text,
    pubkey_url: orNull(text),
  }),
  export_hash: prefixedHash,
};
const unread: Read<unknown> = () => undefined;
const others = Object.fromEntries(Object.keys(nodeMembers).map((name) => [name, unread]));
const readTop = closedObject({ ...topMembers, ...others } as typeof topMembers);
const readNodeTop = openObject({
  server_pubkey: openObject({ use: constant("checkpoint"), pubkey_url: constant(null) }),
});

/** Reads all but the steps. @throws Mismatch */
export function readFrame(top: ExactObject): Frame {
  const { metadata, integrity, checkpoint, server_pubkey, export_hash } = readTop(top);
  return { metadata, integrity, checkpoint, server_pubkey, export_hash, node: readNodeMembers(top) };
}

function readNodeMembers(top: ExactObject): NodeMembers | null {
  if (!Object.keys(nodeMembers).some((name) => top.has(name))) return null;
  readNodeTop(top);
  return readNode(top);
}

export const stepFormsOf = ({ node }: Frame): StepForms => (node ? NODE_STEP : SERVER_STEP);

/** Reads a commit by its form alone. @throws Mismatch */
export function readStep(commit: ExactObject, { flat, passport }: StepForms): Step {
  return { passport: passport(commit), flat: flat(commit) };
}

/** Whether a commit without its flat members is the passport. */
export function isSamePassport(
  passport: ExactObject,
  commit: ExactObject,
  { flatNames }: StepForms,
): boolean {
  let shared = 0;
  for (const [name, value] of commit) {
    if (flatNames.has(name)) continue;
    shared++;
    if (!isSameJson(value, passport.get(name))) return false;
  }
  return shared === passport.size;
}

function isSameJson(one: ExactJson, other: ExactJson | undefined): boolean {
  if (one === other) return true;
  if (other === undefined || other === null || one === null) return false;
  if (one instanceof ExactNumber) return other instanceof ExactNumber && canon1(one) === canon1(other);
  if (Array.isArray(one)) return isSameList(one, other);
  return typeof one === "object" && isExactObject(one) && isExactObject(other) && isSameObject(one, other);
}

function isSameList(one: readonly ExactJson[], other: ExactJson): boolean {
  if (!Array.isArray(other) || one.length !== other.length) return false;
  return one.every((item, at) => isSameJson(item, other[at]));
}

function isSameObject(one: ExactObject, other: ExactObject): boolean {
  if (one.size !== other.size) return false;
  for (const [name, value] of one) if (!isSameJson(value, other.get(name))) return false;
  return true;
}

/** What the steps have to be beside each other. The function returned throws Mismatch. */
export function createStepRules({ checkpoint }: Frame): (step: Step) => void {
  const ids = new Set<string>();
  return ({ passport: { id }, flat }) => {
    if (ids.has(id)) throw new Mismatch("is there before", ".id");
    ids.add(id);
    const isTied = flat._proof.checkpoint_inclusion !== undefined;
    if (isTied === (checkpoint !== null)) return;
    const reason = isTied ? "is there, though no checkpoint is" : "is missing, though there is a checkpoint";
    throw new Mismatch(reason, "._proof.checkpoint_inclusion");
  };
}
