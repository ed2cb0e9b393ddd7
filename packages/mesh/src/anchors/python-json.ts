import { canonE, exactOf, isJsonObject, type Json } from "@darkmatter/core";

/**
 * JSON as Python's `json.dumps(value, sort_keys=True)` writes it: `", "` and `": "`, keys by code point, all that is
 * not ASCII as `\uXXXX`. What the first generation signs of a relayed payload (mesh.md 9.5).
 */
export function pythonJson(value: Json): string {
  if (typeof value === "string") return asciiText(value);
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (!isJsonObject(value)) return String(value);
  const members = Object.keys(value)
    .sort(byCodePoint)
    .map((key) => `${asciiText(key)}: ${pythonJson(value[key] ?? null)}`);
  return `{${members.join(", ")}}`;
}

/** A whole number is Python's int, which is never written with an exponent. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return "null";
  return Number.isInteger(value) ? String(BigInt(value)) : canonE(exactOf(value));
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function asciiText(text: string): string {
  const escaped = text.replace(/["\\]|[^ -~]/g, (unit) => SHORT[unit] ?? hexEscape(unit));
  return `"${escaped}"`;
}

/** Without the regular expression's `u`, an astral character is two units, as Python writes it. */
function hexEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function byCodePoint(one: string, other: string): number {
  const [left, right] = [Array.from(one), Array.from(other)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
