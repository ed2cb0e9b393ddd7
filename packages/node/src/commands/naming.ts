import type { JsonObject } from "@darkmatter/core";
import { nodeError } from "../errors.ts";

/** Characters of an id that must be given, without the prefix every message id has. */
const BEGINNING_MIN = 4;

/**
 * The one of a list that a person means: by its whole id, by a beginning of it that fits no other, or by a name that
 * only one has. @throws NOT_FOUND, AMBIGUOUS
 */
export function theOne(
  list: readonly JsonObject[],
  wanted: string,
  keys: { readonly ids: readonly string[]; readonly name?: string },
  what: string,
): JsonObject {
  const is = (matches: (value: string) => boolean, names: readonly string[]) =>
    list.filter((item) => names.some((key) => typeof item[key] === "string" && matches(item[key])));
  const low = wanted.toLowerCase();
  const tries = [
    is((value) => value === wanted, keys.ids),
    is((value) => value.toLowerCase() === low, keys.name ? [keys.name] : []),
    wanted.replace(/^msg-/, "").length < BEGINNING_MIN ? [] : is((value) => value.startsWith(low), keys.ids),
  ];
  const found = tries.find((matches) => matches.length > 0) ?? [];
  if (found.length > 1) throw nodeError("AMBIGUOUS", `"${wanted}" fits ${found.length} of the ${what}.`);
  const [one] = found;
  if (!one) throw nodeError("NOT_FOUND", `"${wanted}" fits none of the ${what}.`);
  return one;
}
