import { canon1OfText } from "@darkmatter/core";
import { type Answerable, RawJson } from "../json-text.ts";

/** JSON that is canon-1 already. */
export class CanonicalJson extends RawJson {}

/** canon-1 of what an answer is made of. Its names are ASCII; whole numbers are the only numbers. */
export function canonicalText(value: Answerable): string {
  if (value instanceof CanonicalJson) return value.text;
  if (value instanceof RawJson) return canon1OfText(value.text);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value as { readonly [name: string]: Answerable | undefined })
    .filter((member): member is [string, Answerable] => member[1] !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalText(member)}`).join()}}`;
}
