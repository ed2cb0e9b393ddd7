import { canon1, canon1OfJson, type ExactJson, ExactNumber, type Json, sha256Hex } from "@darkmatter/core";

/** Random bytes of a salt, which is their hex: without it nobody can test guesses at a value. */
export const SALT_BYTES = 32;

/** What a commit's payload holds in the place of a field (docs/proof.md section 1): bare hex. */
export function fieldCommitment(field: {
  readonly salt: string;
  readonly name: string;
  readonly value: ExactJson | Json;
}): string {
  const { salt, name, value } = field;
  return commitmentToText(salt, name, isExact(value) ? canon1(value) : canon1OfJson(value as Json));
}

/** The same for a value whose canon-1 text is at hand. */
export function commitmentToText(salt: string, name: string, canonicalText: string): string {
  return sha256Hex(`darkmatter.field.v1\n${salt}\n${name}\n${canonicalText}`);
}

/** A value as it was read from a text, in which numbers are tokens and objects maps. */
function isExact(value: unknown): value is ExactJson {
  if (Array.isArray(value)) return value.some(isExact);
  return value instanceof ExactNumber || value instanceof Map;
}
