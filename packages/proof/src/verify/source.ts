import {
  canon1,
  type ExactJson,
  ExactNumber,
  isExactObject,
  type JsonBuilder,
  readJson,
  sha256Hex,
  sha256HexOf,
  stringValue,
  utf8,
} from "@darkmatter/core";

/** A JSON text that was read, and the hashes of the object it holds. */
export interface Source {
  readonly value: ExactJson;
  /** H(canon-1 of the object without these members). */
  hashWithout(...names: readonly string[]): string;
}

/** A member, and where it would end if the text were canonical and had no commas and brackets around it. */
type Member = readonly [name: string, value: ExactJson, end: number];

/**
 * Reads a text without loss. A bundle is written as its canon-1 text, and need not be written a second time to be
 * hashed: while it is read, it is noticed whether the text is canonical.
 *
 * @param utf8Bytes the text's, where they are at hand
 * @throws as `readExactJson`
 */
export function readSource(text: string, utf8Bytes?: Uint8Array): Source {
  const reading = canonicalReading();
  const value = readJson(text, reading.builder);
  let bytes = utf8Bytes;
  return {
    value,
    hashWithout(...names) {
      if (reading.isCanonical(text)) {
        bytes ??= utf8(text);
        return sha256HexOf(bytesWithout(text, bytes, reading.lastObject(), names));
      }
      const kept = isExactObject(value) ? [...value].filter(([name]) => !names.includes(name)) : [];
      return sha256Hex(canon1(new Map(kept)));
    },
  };
}

/** The canonical text of an object without some of its members: the bytes before, between and after them. */
function bytesWithout(
  text: string,
  bytes: Uint8Array,
  members: readonly Member[],
  names: readonly string[],
): readonly Uint8Array[] {
  // Counted from the end, as little follows the members that are left out.
  const byteAt = (at: number) => bytes.length - utf8(text.slice(at)).length;
  const pieces: Uint8Array[] = [];
  let from = 0;
  // After the opening brace, and after each comma.
  let start = 1;
  for (const [at, [name, , end]] of members.entries()) {
    const stop = 1 + end + at;
    if (names.includes(name)) {
      const isLast = at === members.length - 1;
      pieces.push(bytes.subarray(from, byteAt(isLast ? start - 1 : start)));
      from = byteAt(isLast ? stop : stop + 1);
    }
    start = stop + 1;
  }
  return [...pieces, bytes.subarray(from)];
}

/**
 * A builder of values that adds up how long the canonical text is. Where keys, escapes and numbers are all canonical,
 * a text of exactly that length has no white space, and so is canonical itself.
 */
function canonicalReading() {
  let length = 0;
  let isPlain = true;
  let last: readonly Member[] = [];

  function stringOf(text: string, start: number, end: number, escapes: "none" | "short" | "other"): string {
    length += end - start;
    const value = stringValue(text, start, end, escapes);
    if (escapes === "other") isPlain &&= JSON.stringify(value) === text.slice(start, end);
    return value;
  }

  const builder: JsonBuilder<ExactJson, Member> = {
    literal(value) {
      length += value === false ? "false".length : "null".length;
      return value;
    },
    string: stringOf,
    number(token, isFloat) {
      length += token.length;
      const number = new ExactNumber(token);
      if (isFloat || token === "-0") isPlain &&= canon1(number) === token;
      return number;
    },
    array(items) {
      length += bracketsAndCommas(items.length);
      return items;
    },
    member(text, keyStart, keyEnd, escapes, value) {
      const name = stringOf(text, keyStart, keyEnd, escapes);
      length += 1;
      return [name, value, length];
    },
    object(members) {
      length += bracketsAndCommas(members.length);
      last = members;
      const object = new Map<string, ExactJson>();
      let before: string | undefined;
      for (const [name, value] of members) {
        if (before !== undefined && !isSurelyAfter(name, before)) isPlain = false;
        before = name;
        object.set(name, value);
      }
      return object.size === members.length ? object : undefined;
    },
  };
  return {
    builder,
    lastObject: () => last,
    isCanonical: (text: string) => isPlain && length === text.length,
  };
}

function bracketsAndCommas(inside: number): number {
  return inside === 0 ? 2 : inside + 1;
}

const FIRST_SURROGATE = 0xd800;

/**
 * Whether a name comes later by code points. Where both differ from the surrogates on, which units order otherwise, it
 * says no.
 */
function isSurelyAfter(name: string, before: string): boolean {
  const length = Math.min(name.length, before.length);
  for (let at = 0; at < length; at++) {
    const [unit, unitBefore] = [name.charCodeAt(at), before.charCodeAt(at)];
    if (unit !== unitBefore) return unit > unitBefore && unitBefore < FIRST_SURROGATE;
  }
  return name.length > before.length;
}
