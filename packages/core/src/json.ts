import canonicalize from "canonicalize";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Deeper input is refused before anything walks it. */
export const JSON_DEPTH_MAX = 64;

/** How many brackets deep a JSON text nests, found without recursion and without building anything. */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c) at++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x7b || unit === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return deepest;
}

/** Only a number written like this can be too large for a double. */
const PERHAPS_TOO_LARGE = /\d[eE]\+?\d{3}|\d{200}/;

/**
 * Parses JSON text; `undefined` when it is not JSON, nests deeper than `JSON_DEPTH_MAX`, or holds a number too large
 * for a double: that would become infinite, which no JSON can say, and travel on as null.
 */
export function parseJson(text: string): Json | undefined {
  // A text this short cannot nest deeper than the limit: skip the walk.
  if (text.length > JSON_DEPTH_MAX && jsonDepth(text) > JSON_DEPTH_MAX) return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return PERHAPS_TOO_LARGE.test(text) && !isFiniteJson(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

function isFiniteJson(value: Json): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isFiniteJson);
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RFC 8785 text of a JSON value. */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}
