import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";

/** How strictly an answer is compared with the one recorded. */
export interface Manner {
  /** Values that only have to be such: patterns by key. */
  readonly patterns?: Readonly<Record<string, string>>;
  /** The only keys an object may have beyond those expected. Any, when left out. */
  readonly extraKeys?: readonly string[];
}

/** Texts for people: each node words them as it likes, but says something. */
const WORDS = new Set(["error", "message", "next_step", "warning"]);
/** What a node can do is its own affair; that it says so is not. */
const CAPABILITIES = new Set(["webrtc_enabled", "genome_version", "genome_author"]);
/** How long something took. */
const DURATIONS = new Set(["response_time_ms"]);

const NUMBERS_EQUAL_WITHIN = 1e-9;

/**
 * What is missing from or different in `actual`, each with its path. Objects may hold more keys than expected
 * (unless the manner says otherwise), lists not more entries. `1` and `1.0` are equal.
 */
export function differences(actual: Json | undefined, expected: Json, manner: Manner = {}): string[] {
  if (Array.isArray(expected)) return listDifferences(actual, expected, manner);
  if (isJsonObject(expected)) return objectDifferences(actual, expected, manner);
  const same =
    typeof expected === "number" && typeof actual === "number"
      ? Math.abs(actual - expected) <= NUMBERS_EQUAL_WITHIN
      : actual === expected;
  return same ? [] : [`: ${shown(actual)} instead of ${shown(expected)}`];
}

function listDifferences(actual: Json | undefined, expected: readonly Json[], manner: Manner): string[] {
  if (!Array.isArray(actual)) return [`: ${shown(actual)} instead of a list`];
  if (actual.length !== expected.length) {
    return [`: ${actual.length} entries instead of ${expected.length}: ${shown(actual)}`];
  }
  return expected.flatMap((entry, at) =>
    differences(actual[at], entry, manner).map((one) => `[${at}]${one}`),
  );
}

function objectDifferences(actual: Json | undefined, expected: JsonObject, manner: Manner): string[] {
  if (!isJsonObject(actual)) return [`: ${shown(actual)} instead of ${shown(expected)}`];
  const { extraKeys } = manner;
  const surplus = Object.keys(actual).filter(
    (key) => extraKeys !== undefined && !(key in expected) && !extraKeys.includes(key),
  );
  return [
    ...surplus.map((key) => `.${key}: is too much: ${shown(actual[key])}`),
    ...Object.entries(expected).flatMap(([key, value]) =>
      key in actual
        ? fieldDifferences(key, actual, value, manner).map((one) => `.${key}${one}`)
        : [`.${key}: is missing from ${shown(actual)}`],
    ),
  ];
}

function fieldDifferences(key: string, actual: JsonObject, expected: Json, manner: Manner): string[] {
  const value = actual[key];
  const pattern = manner.patterns?.[key];
  if (pattern !== undefined) {
    const isPlain = typeof value === "string" || typeof value === "number";
    const fits = isPlain && new RegExp(pattern).test(String(value));
    return fits ? [] : [`: ${shown(value)} does not match ${pattern}`];
  }
  if (CAPABILITIES.has(key)) return [];
  if (DURATIONS.has(key))
    return typeof value === "number" && value >= 0 ? [] : [`: ${shown(value)} is no duration`];
  if (WORDS.has(key)) return wordDifferences(value, expected, actual.success === false);
  return differences(value, expected, manner);
}

/** Where the reference says nothing about a failure, saying more is welcome. */
function wordDifferences(value: Json | undefined, expected: Json, isFailure: boolean): string[] {
  const says = typeof value === "string" && value !== "";
  if (expected === null)
    return value === null || (isFailure && says) ? [] : [`: ${shown(value)} instead of null`];
  return says ? [] : [`: ${shown(value)} instead of some words`];
}

function shown(value: Json | undefined): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
