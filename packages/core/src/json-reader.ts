import { refuseAt, refuseMore } from "./json-errors.ts";

/** Levels of arrays and objects. */
export const EXACT_DEPTH_MAX = 256;
const INTEGER_DIGITS_MAX = 1000;
/** A float token this short that has no exponent is finite. */
const SURELY_FINITE_LENGTH = 300;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const [LETTER_E, LETTER_SMALL_E, LETTER_F, LETTER_N, LETTER_T, LETTER_U] = [
  0x45, 0x65, 0x66, 0x6e, 0x74, 0x75,
];

/**
 * What a string's text holds: no escape; only such as have no shorter way to be written (`\"` `\\` `\b` `\f` `\n` `\r`
 * `\t`); or others too.
 */
export type Escapes = "none" | "short" | "other";

/** What becomes of each value that is read. A string is told by where it stands, from quote to quote. */
export interface JsonBuilder<Value, Member> {
  literal(value: null | boolean): Value;
  string(text: string, start: number, end: number, escapes: Escapes): Value;
  number(token: string, isFloat: boolean): Value;
  array(items: Value[]): Value;
  /** The value stands from `valueStart` to `valueEnd`. */
  member(
    text: string,
    keyStart: number,
    keyEnd: number,
    escapes: Escapes,
    value: Value,
    valueStart: number,
    valueEnd: number,
  ): Member;
  /** `undefined` when two members have the same key. */
  object(members: Member[]): Value | undefined;
}

interface Cursor<Value, Member> {
  readonly text: string;
  readonly build: JsonBuilder<Value, Member>;
  readonly maxDepth: number;
  readonly maxValues: number;
  /** Values that may still be read. */
  left: number;
  readonly isWellFormed: boolean;
  at: number;
  depth: number;
  /** Of the string passed last. */
  escapes: Escapes;
}

/** How much may be read. */
export interface JsonBounds {
  /** Levels of arrays and objects; 256 unless told. */
  readonly maxDepth?: number;
  /** Members of objects and items of arrays, all together: each takes time, however short it is. No bound unless told. */
  readonly maxValues?: number;
}

/**
 * Reads JSON text strictly (RFC 8259): one value and nothing else, not even a byte order mark.
 *
 * @throws each code of `exactJsonError` but `not_an_object`
 */
export function readJson<Value, Member>(
  text: string,
  build: JsonBuilder<Value, Member>,
  { maxDepth = EXACT_DEPTH_MAX, maxValues = Number.POSITIVE_INFINITY }: JsonBounds = {},
): Value {
  const isWellFormed = text.isWellFormed();
  const cursor: Cursor<Value, Member> = {
    text,
    build,
    maxDepth,
    maxValues,
    // The whole is neither member nor item.
    left: maxValues + 1,
    isWellFormed,
    at: 0,
    depth: 0,
    escapes: "none",
  };
  skipSpace(cursor);
  const value = readValue(cursor);
  skipSpace(cursor);
  if (cursor.at < text.length) refuseAt("invalid_json", cursor.at);
  return value;
}

/** The value of a string that was read: what stands from quote to quote. */
export function stringValue(text: string, start: number, end: number, escapes: Escapes): string {
  return escapes === "none" ? text.slice(start + 1, end - 1) : JSON.parse(text.slice(start, end));
}

function readValue<Value, Member>(cursor: Cursor<Value, Member>): Value {
  const { text, build, at } = cursor;
  if (--cursor.left < 0) refuseMore(cursor.maxValues);
  switch (text.charCodeAt(at)) {
    case QUOTE:
      passString(cursor);
      return build.string(text, at, cursor.at, cursor.escapes);
    case OBJECT_OPEN:
      return readObject(cursor);
    case ARRAY_OPEN:
      return readArray(cursor);
    case LETTER_T:
      return readLiteral(cursor, "true", true);
    case LETTER_F:
      return readLiteral(cursor, "false", false);
    case LETTER_N:
      return readLiteral(cursor, "null", null);
    default:
      return readNumber(cursor);
  }
}

function readObject<Value, Member>(cursor: Cursor<Value, Member>): Value {
  const opened = cursor.at;
  const members: Member[] = [];
  if (!isEmpty(cursor, OBJECT_CLOSE)) {
    do members.push(readMember(cursor));
    while (hasNext(cursor, OBJECT_CLOSE));
  }
  cursor.depth--;
  return cursor.build.object(members) ?? refuseAt("duplicate_key", opened);
}

function readMember<Value, Member>(cursor: Cursor<Value, Member>): Member {
  const { text, build, at: start } = cursor;
  if (text.charCodeAt(start) !== QUOTE) refuseAt("invalid_json", start);
  passString(cursor);
  const { at: end, escapes } = cursor;
  skipSpace(cursor);
  if (text.charCodeAt(cursor.at) !== COLON) refuseAt("invalid_json", cursor.at);
  cursor.at++;
  skipSpace(cursor);
  const valueStart = cursor.at;
  const value = readValue(cursor);
  return build.member(text, start, end, escapes, value, valueStart, cursor.at);
}

function readArray<Value, Member>(cursor: Cursor<Value, Member>): Value {
  const items: Value[] = [];
  if (!isEmpty(cursor, ARRAY_CLOSE)) {
    do items.push(readValue(cursor));
    while (hasNext(cursor, ARRAY_CLOSE));
  }
  cursor.depth--;
  return cursor.build.array(items);
}

/** Passes the opening bracket, and the closing one if it follows. */
function isEmpty<Value, Member>(cursor: Cursor<Value, Member>, close: number): boolean {
  cursor.depth++;
  if (cursor.depth > cursor.maxDepth) refuseAt("too_deep", cursor.at);
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text.charCodeAt(cursor.at) !== close) return false;
  cursor.at++;
  return true;
}

/** Passes a comma or the closing bracket. */
function hasNext<Value, Member>(cursor: Cursor<Value, Member>, close: number): boolean {
  skipSpace(cursor);
  const unit = cursor.text.charCodeAt(cursor.at);
  if (unit !== COMMA && unit !== close) refuseAt("invalid_json", cursor.at);
  cursor.at++;
  if (unit === close) return false;
  skipSpace(cursor);
  return true;
}

function skipSpace<Value, Member>(cursor: Cursor<Value, Member>): void {
  const { text } = cursor;
  for (;;) {
    const unit = text.charCodeAt(cursor.at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    cursor.at++;
  }
}

function readLiteral<Value, Member>(
  cursor: Cursor<Value, Member>,
  word: string,
  value: null | boolean,
): Value {
  if (!cursor.text.startsWith(word, cursor.at)) refuseAt("invalid_json", cursor.at);
  cursor.at += word.length;
  return cursor.build.literal(value);
}

function passString<Value, Member>(cursor: Cursor<Value, Member>): void {
  const { text, at: start } = cursor;
  let at = start + 1;
  let escapes: Escapes = "none";
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) break;
    if (unit === BACKSLASH) {
      const isShort = isShortEscape(text.charCodeAt(at + 1));
      if (!isShort) escapes = "other";
      else if (escapes === "none") escapes = "short";
      at = isShort ? at + 2 : passLongEscape(text, at);
    } else if (unit >= 0x20) at++;
    // A control character, or the end of the text (NaN).
    else refuseAt("invalid_json", at);
  }
  cursor.at = at + 1;
  cursor.escapes = escapes;
  if (escapes !== "other" && cursor.isWellFormed) return;
  if (!stringValue(text, start, at + 1, escapes).isWellFormed()) refuseAt("lone_surrogate", start);
}

/** Is it `\"` `\\` `\b` `\f` `\n` `\r` or `\t`? */
function isShortEscape(unit: number): boolean {
  switch (unit) {
    case QUOTE:
    case BACKSLASH:
    case 0x62:
    case LETTER_F:
    case LETTER_N:
    case 0x72:
    case LETTER_T:
      return true;
    default:
      return false;
  }
}

/** Passes `\/` or `\u` and four hex digits. */
function passLongEscape(text: string, start: number): number {
  const unit = text.charCodeAt(start + 1);
  if (unit === 0x2f) return start + 2;
  if (unit !== LETTER_U) refuseAt("invalid_json", start);
  for (let at = start + 2; at < start + 6; at++)
    if (!isHexDigit(text.charCodeAt(at))) refuseAt("invalid_json", start);
  return start + 6;
}

function isHexDigit(unit: number): boolean {
  const letter = unit | 0x20;
  return (unit >= ZERO && unit <= NINE) || (letter >= 0x61 && letter <= LETTER_F);
}

function readNumber<Value, Member>(cursor: Cursor<Value, Member>): Value {
  const { text, at: start } = cursor;
  const integer = text.charCodeAt(start) === MINUS ? start + 1 : start;
  const integerEnd = passDigits(text, integer);
  if (text.charCodeAt(integer) === ZERO && integerEnd > integer + 1) refuseAt("invalid_json", integer + 1);
  const fractionEnd = text.charCodeAt(integerEnd) === POINT ? passDigits(text, integerEnd + 1) : integerEnd;
  const end = passExponent(text, fractionEnd);
  const isFloat = end > integerEnd;
  if (!isFloat && end - integer > INTEGER_DIGITS_MAX) refuseAt("number_too_long", start);
  const token = text.slice(start, end);
  const maybeInfinite = isFloat && (end > fractionEnd || token.length > SURELY_FINITE_LENGTH);
  if (maybeInfinite && !Number.isFinite(Number(token))) refuseAt("non_finite_number", start);
  cursor.at = end;
  return cursor.build.number(token, isFloat);
}

function passExponent(text: string, start: number): number {
  const unit = text.charCodeAt(start);
  if (unit !== LETTER_SMALL_E && unit !== LETTER_E) return start;
  const sign = text.charCodeAt(start + 1);
  return passDigits(text, sign === PLUS || sign === MINUS ? start + 2 : start + 1);
}

/** Passes one digit or more. */
function passDigits(text: string, start: number): number {
  let at = start;
  for (;;) {
    const unit = text.charCodeAt(at);
    // The end of the text (NaN) is no digit either.
    if (!(unit >= ZERO && unit <= NINE)) break;
    at++;
  }
  if (at === start) refuseAt("invalid_json", at);
  return at;
}
