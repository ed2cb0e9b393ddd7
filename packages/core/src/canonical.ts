import {
  type ExactJson,
  ExactNumber,
  type ExactObject,
  isExactObject,
  refuseDeeper,
  tokenOf,
  wellFormed,
} from "./exact-json.ts";
import { float17, floatShortest } from "./float-text.ts";
import type { Json } from "./json.ts";
import { exactJsonError } from "./json-errors.ts";
import { type Escapes, type JsonBounds, type JsonBuilder, readJson, stringValue } from "./json-reader.ts";
import { sortByKey } from "./key-order.ts";

/** A member of an object, on its way into the object's text. */
interface Member {
  readonly key: string;
  /** `"key":value` */
  readonly text: string;
}

interface PlacedMember extends Member {
  readonly value: string;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** canon-1 (ledger.md 2.2): the text whose UTF-8 is hashed and signed. */
export function canon1(value: ExactJson): string {
  return textOf(value, canon1Number, sortByKey);
}

/** canon-E (ledger.md 2.3): canon-1 with the shortest floats, as client attestations have it. */
export function canonE(value: ExactJson): string {
  return textOf(value, canonENumber, sortByKey);
}

/** The value as it was read: members in their order, numbers with their tokens. */
export function writeExactJson(value: ExactJson): string {
  return textOf(
    value,
    (token) => token,
    (members) => members,
  );
}

/**
 * What the ledger's first servers hashed: the names at the top are the only members kept, at every depth (ledger.md
 * 2.6). To verify old exports with, and nothing else: nested content is not covered.
 */
export function legacyText(value: ExactObject): string {
  // Theirs, word for word, with all that it does to numbers and to `__proto__`.
  return JSON.stringify(JSON.parse(writeExactJson(value)), [...value.keys()].sort());
}

/** canon-1 of JSON text, without building its value. @throws as `readExactJson` */
export function canon1OfText(text: string): string {
  return readJson(text, canon1Builder);
}

/** A member of an object's text. */
export interface MemberText {
  /** As it stands there, without the space around it. */
  readonly text: string;
  readonly canon1: string;
}

/**
 * The members of an object's text, in one reading, and the whole text's canon-1.
 *
 * @throws as `readExactObject`; too_many_values, with status 413
 */
export function readMemberTexts(
  text: string,
  options?: JsonBounds,
): { readonly members: ReadonlyMap<string, MemberText>; readonly canon1: string } {
  // An object is complete after all that are inside it: the last one is the outermost.
  let outermost: readonly PlacedMember[] | undefined;
  const whole = readJson<string, PlacedMember>(
    text,
    {
      ...canon1Builder,
      member(text, keyStart, keyEnd, escapes, value, valueStart, valueEnd) {
        const key = stringValue(text, keyStart, keyEnd, escapes);
        const keyText = canonicalString(text, keyStart, keyEnd, escapes);
        return { key, text: `${keyText}:${value}`, value, valueStart, valueEnd };
      },
      object(members) {
        const joined = canon1Builder.object(members);
        outermost = members;
        return joined;
      },
    },
    options,
  );
  if (!outermost || !whole.startsWith("{")) throw exactJsonError("not_an_object");
  const members = outermost.map(
    ({ key, value, valueStart, valueEnd }) =>
      [key, { text: text.slice(valueStart, valueEnd), canon1: value }] as const,
  );
  return { members: new Map(members), canon1: whole };
}

/** canon-1 of a value that exists only in memory. @throws as `exactOf` */
export function canon1OfJson(value: Json): string {
  return textOfJson(value, 0);
}

const canon1Builder: JsonBuilder<string, Member> = {
  literal: String,
  string: canonicalString,
  number: (token, isFloat) => (isFloat ? float17(Number(token)) : integerText(token)),
  array: arrayText,
  member(text, keyStart, keyEnd, escapes, value) {
    const key = stringValue(text, keyStart, keyEnd, escapes);
    return { key, text: `${canonicalString(text, keyStart, keyEnd, escapes)}:${value}` };
  },
  object(members) {
    const sorted = sortByKey(members);
    const isTwice = sorted.some(({ key }, at) => key === sorted[at - 1]?.key);
    return isTwice ? undefined : objectText(sorted);
  },
};

/** Most strings are canonical as they stand. */
function canonicalString(text: string, start: number, end: number, escapes: Escapes): string {
  return escapes === "other"
    ? JSON.stringify(stringValue(text, start, end, escapes))
    : text.slice(start, end);
}

function textOf(
  value: ExactJson,
  numberText: (token: string) => string,
  order: (members: Member[]) => Member[],
): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof ExactNumber) return numberText(value.token);
  if (!isExactObject(value)) return arrayText(value.map((item) => textOf(item, numberText, order)));
  const members: Member[] = [];
  for (const [key, inside] of value) {
    members.push({ key, text: `${JSON.stringify(key)}:${textOf(inside, numberText, order)}` });
  }
  return objectText(order(members));
}

function textOfJson(value: Json, depth: number): string {
  if (typeof value === "string") return JSON.stringify(wellFormed(value));
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return canon1Number(tokenOf(value));
  const inside = depth + 1;
  refuseDeeper(inside);
  if (Array.isArray(value)) return arrayText(value.map((item) => textOfJson(item, inside)));
  const members: Member[] = [];
  for (const key of Object.keys(value)) {
    members.push({ key, text: `${JSON.stringify(wellFormed(key))}:${textOfJson(value[key]!, inside)}` });
  }
  return objectText(sortByKey(members));
}

const FLOAT = /[.eE]/;

function canon1Number(token: string): string {
  return FLOAT.test(token) ? float17(Number(token)) : integerText(token);
}

function canonENumber(token: string): string {
  return FLOAT.test(token) ? floatShortest(Number(token)) : integerText(token);
}

function integerText(token: string): string {
  return token === "-0" ? "0" : token;
}

function arrayText(items: readonly string[]): string {
  return `[${joined(items)}]`;
}

function objectText(members: readonly Member[]): string {
  return `{${joined(members.map(({ text }) => text))}}`;
}

/** Characters of a text that is not copied once more by each array and object around it. */
const LONG_CHARACTERS = 1000;

/** `join` is quick, but copies; `+` copies nothing before all is there. */
function joined(texts: readonly string[]): string {
  if (!texts.some(({ length }) => length > LONG_CHARACTERS)) return texts.join();
  return texts.reduce((begun, text) => `${begun},${text}`);
}
