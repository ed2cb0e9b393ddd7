import { type ExactJson, ExactNumber, type Json } from "@darkmatter/core";
import { isHash, isSeconds, isSignature } from "./forms.ts";
import type { VerifySignature } from "./signatures.ts";

/** What a log commits to at one size (ledger.md 2.10). Hashes are bare lower-case hex. */
export interface Checkpoint {
  readonly checkpoint_id: string;
  readonly log_position: number;
  readonly log_root: string;
  readonly previous_cp_id: string | null;
  readonly previous_tree_root: string | null;
  readonly schema_version: "3";
  /** Seconds, `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly timestamp: string;
  readonly tree_root: string;
  readonly tree_size: number;
}

/** A checkpoint as it travels: `position` repeats `log_position`. */
export interface SignedCheckpoint extends Checkpoint {
  readonly server_sig: string;
  readonly position: number;
}

/** The envelope's canon-1 text, which the log's key and each witness sign. */
export function checkpointText(checkpoint: Checkpoint): string {
  // In the order of their names: then this is canon-1.
  return JSON.stringify({
    checkpoint_id: checkpoint.checkpoint_id,
    log_position: checkpoint.log_position,
    log_root: checkpoint.log_root,
    previous_cp_id: checkpoint.previous_cp_id,
    previous_tree_root: checkpoint.previous_tree_root,
    schema_version: checkpoint.schema_version,
    timestamp: checkpoint.timestamp,
    tree_root: checkpoint.tree_root,
    tree_size: checkpoint.tree_size,
  });
}

/** Whether the log's key signed it. The form is the caller's to check. */
export function verifyCheckpoint(
  signed: SignedCheckpoint,
  publicKeyHex: string,
  verify: VerifySignature,
): Promise<boolean> {
  return verify(publicKeyHex, checkpointText(signed), signed.server_sig);
}

const ID = /^cp_\d{1,16}_[0-9a-f]{8}$/;
const isId = (value: unknown) => typeof value === "string" && ID.test(value);

const ENVELOPE_FORM: Readonly<Record<keyof Checkpoint, (value: unknown) => boolean>> = {
  checkpoint_id: isId,
  log_position: isPosition,
  log_root: isHash,
  previous_cp_id: (value) => value === null || isId(value),
  previous_tree_root: (value) => value === null || isHash(value),
  schema_version: (value) => value === "3",
  timestamp: isSeconds,
  tree_root: isHash,
  tree_size: isPosition,
};
const SIGNED_FORM = { ...ENVELOPE_FORM, server_sig: isSignature, position: isPosition };

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && !Object.is(value, -0);
}

/**
 * The signed checkpoint a value is; `undefined` when it has not exactly those members in their form. `alsoAllowed`
 * names members that may stand beside them. Signatures are not checked.
 */
export function signedCheckpointOf(
  value: ExactJson | Json,
  alsoAllowed: readonly string[] = [],
): SignedCheckpoint | undefined {
  const members = membersOf(value);
  if (!members) return undefined;
  const forms = Object.entries(SIGNED_FORM);
  const isKnown = (name: string) => Object.hasOwn(SIGNED_FORM, name) || alsoAllowed.includes(name);
  if (![...members.keys()].every(isKnown) || !forms.every(([name, isForm]) => isForm(members.get(name)))) {
    return undefined;
  }
  const signed = Object.fromEntries(
    forms.map(([name]) => [name, members.get(name)]),
  ) as unknown as SignedCheckpoint;
  const { log_position, position, tree_size } = signed;
  return log_position === tree_size - 1 && position === log_position ? signed : undefined;
}

/** An object's members, integers as numbers; anything else stays as it is and fails the forms above. */
function membersOf(value: ExactJson | Json): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) {
    return new Map([...value].map(([name, member]: [string, ExactJson]) => [name, plain(member)]));
  }
  const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
  return isPlain ? new Map(Object.entries(value)) : undefined;
}

const INTEGER = /^(?:0|[1-9]\d{0,15})$/;

function plain(member: ExactJson): unknown {
  return member instanceof ExactNumber && INTEGER.test(member.token) ? Number(member.token) : member;
}
