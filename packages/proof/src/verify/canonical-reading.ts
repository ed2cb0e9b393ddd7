import {
  canon1,
  type ExactJson,
  ExactNumber,
  type JsonBuilder,
  readJson,
  stringValue,
} from "@darkmatter/core";

/** A member, and where it would end if the text were canonical and had no commas and brackets around it. */
export type Member = readonly [name: string, value: ExactJson, end: number];

export interface CanonicalReading {
  readonly value: ExactJson;
  /** Whether the text read is its own canon-1 text. */
  readonly isCanonical: boolean;
  /** Those of the object that the text is, if it is one. */
  readonly members: readonly Member[];
}

/**
 * Reads a text without loss, and notices whether it is canonical: a bundle is written as its canon-1 text, and then need
 * not be written a second time to be hashed.
 *
 * It adds up how long the canonical text would be. Where keys, escapes and numbers are all canonical, a text of exactly
 * that length has no white space, and so is canonical itself.
 *
 * @throws as `readExactJson`
 */
export function readCanonically(text: string, maxDepth?: number): CanonicalReading {
  let length = 0;
  let isPlain = true;
  let members: readonly Member[] = [];

  function stringOf(whole: string, start: number, end: number, escapes: "none" | "short" | "other"): string {
    length += end - start;
    const value = stringValue(whole, start, end, escapes);
    if (escapes === "other") isPlain &&= JSON.stringify(value) === whole.slice(start, end);
    return value;
  }

  const builder: JsonBuilder<ExactJson, Member> = {
    literal(value) {
      length += value === false ? "false".length : "null".length;
      return value;
    },
    string: (whole, start, end, escapes) => stringOf(whole, start, end, escapes),
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
    member(whole, keyStart, keyEnd, escapes, value) {
      const name = stringOf(whole, keyStart, keyEnd, escapes);
      length += 1;
      return [name, value, length];
    },
    object(read) {
      length += bracketsAndCommas(read.length);
      members = read;
      const object = new Map<string, ExactJson>();
      let before: string | undefined;
      for (const [name, value] of read) {
        if (before !== undefined && !isSurelyAfter(name, before)) isPlain = false;
        before = name;
        object.set(name, value);
      }
      return object.size === read.length ? object : undefined;
    },
  };

  const value = readJson(text, builder, { maxDepth });
  return { value, isCanonical: isPlain && length === text.length, members };
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
