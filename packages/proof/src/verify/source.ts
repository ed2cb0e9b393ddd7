import {
  canon1,
  type ExactJson,
  ExactNumber,
  isExactObject,
  type JsonBuilder,
  readJson,
  stringValue,
} from "@darkmatter/core";

/** A JSON text that was read, and the canonical texts of the object it holds. */
export interface Source {
  readonly value: ExactJson;
  /** canon-1 of the object without these members. */
  canonicalWithout(...names: readonly string[]): string;
}

/** A member, and where it would end if the text were canonical and had no commas and brackets around it. */
type Member = readonly [key: string, value: ExactJson, end: number];

/**
 * Reads a text without loss. A bundle is written as its canon-1 text, and most of its bytes need not be written a
 * second time to be hashed: while it is read, it is noticed whether the text is canonical.
 *
 * @throws as `readExactJson`
 */
export function readSource(text: string): Source {
  const reading = canonicalReading();
  const value = readJson(text, reading.builder);
  const top = reading.isCanonical(text) && isExactObject(value) ? reading.lastObject() : undefined;
  return {
    value,
    canonicalWithout(...names) {
      if (top) return slicesWithout(text, top, names);
      if (!isExactObject(value)) return canon1(value);
      return canon1(new Map([...value].filter(([name]) => !names.includes(name))));
    },
  };
}

function slicesWithout(text: string, members: readonly Member[], names: readonly string[]): string {
  const kept: string[] = [];
  // After the opening brace, and after each comma.
  let start = 1;
  for (const [at, [name, , end]] of members.entries()) {
    const stop = 1 + end + at;
    if (!names.includes(name)) kept.push(text.slice(start, stop));
    start = stop + 1;
  }
  return `{${kept.join(",")}}`;
}

/**
 * A builder of values that adds up how long the canonical text is. Where keys, escapes and numbers are all canonical,
 * a text of exactly that length has no white space, and so is canonical itself.
 */
function canonicalReading() {
  let length = 0;
  let isPlain = true;
  let last: readonly Member[] = [];

  const builder: JsonBuilder<ExactJson, Member> = {
    literal(value) {
      length += value === false ? "false".length : "null".length;
      return value;
    },
    string(text, start, end, escapes) {
      length += end - start;
      if (escapes === "other") isPlain = false;
      return stringValue(text, start, end, escapes);
    },
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
      length += keyEnd - keyStart + 1;
      if (escapes === "other") isPlain = false;
      return [stringValue(text, keyStart, keyEnd, escapes), value, length];
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

/** Whether a name comes later by code points. From the surrogates on, which order by units differently, it says no. */
function isSurelyAfter(name: string, before: string): boolean {
  const length = Math.min(name.length, before.length);
  for (let at = 0; at < length; at++) {
    const [unit, unitBefore] = [name.charCodeAt(at), before.charCodeAt(at)];
    if (unit !== unitBefore) return unit > unitBefore && unit < FIRST_SURROGATE;
  }
  return name.length > before.length;
}
