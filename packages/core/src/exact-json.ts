import type { Json } from "./json.ts";
import { exactJsonError } from "./json-errors.ts";
import { EXACT_DEPTH_MAX, type JsonBuilder, readJson, stringValue } from "./json-reader.ts";

/**
 * A JSON number as it was written. A double would lose `1.0`, `1e-7` and 2^53+1, and with them the bytes that were
 * hashed and signed.
 */
export class ExactNumber {
  readonly token: string;

  constructor(token: string) {
    this.token = token;
  }
}

/** A JSON value with every number's token kept. Objects are maps in the order read, so that no key is special. */
export type ExactJson = null | boolean | string | ExactNumber | readonly ExactJson[] | ExactObject;
export type ExactObject = ReadonlyMap<string, ExactJson>;

export function isExactObject(value: ExactJson): value is ExactObject {
  return value instanceof Map;
}

const exactBuilder: JsonBuilder<ExactJson, readonly [string, ExactJson]> = {
  literal: (value) => value,
  string: stringValue,
  number: (token) => new ExactNumber(token),
  array: (items) => items,
  member: (text, keyStart, keyEnd, escapes, value) => [stringValue(text, keyStart, keyEnd, escapes), value],
  object(members) {
    const object = new Map(members);
    return object.size === members.length ? object : undefined;
  },
};

/**
 * Reads JSON text (RFC 8259) and loses nothing but white space and the choice of escapes.
 *
 * @param options.maxDepth levels of arrays and objects; 256 unless told
 * @throws invalid_json, duplicate_key, lone_surrogate, non_finite_number, number_too_long or too_deep, each with status
 * 400 and the position in the text, in UTF-16 units
 */
export function readExactJson(text: string, options?: { readonly maxDepth?: number }): ExactJson {
  return readJson(text, exactBuilder, options);
}

/** Reads the text of an object as `readExactJson` does. @throws not_an_object too */
export function readExactObject(text: string): ExactObject {
  const value = readExactJson(text);
  if (!isExactObject(value)) throw exactJsonError("not_an_object");
  return value;
}

/**
 * A value that exists only in memory, as if it had been read: each number becomes the token `JSON.stringify` gives.
 *
 * @throws lone_surrogate, non_finite_number, too_deep
 */
export function exactOf(value: Json): ExactJson {
  return exactAt(value, 0);
}

function exactAt(value: Json, depth: number): ExactJson {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number") return new ExactNumber(tokenOf(value));
  const inside = depth + 1;
  refuseDeeper(inside);
  if (Array.isArray(value)) return value.map((item) => exactAt(item, inside));
  return new Map(Object.entries(value).map(([key, member]) => [wellFormed(key), exactAt(member, inside)]));
}

export function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw exactJsonError("lone_surrogate");
  return text;
}

/** The text `JSON.stringify` gives a number: minus zero is `0`. */
export function tokenOf(value: number): string {
  if (!Number.isFinite(value)) throw exactJsonError("non_finite_number");
  return String(value);
}

export function refuseDeeper(depth: number): void {
  if (depth > EXACT_DEPTH_MAX) throw exactJsonError("too_deep");
}
