import { sha256Hex } from "@darkmatter/core";

/** Code points of a gram. Shorter queries find no help in an index of grams. */
const GRAM = 3;

/** UTF-16 units of long grams: three of common letters are in nearly every payload, four in fewer, five in few. */
const LONG_GRAMS = [4, 5];
/** Characters that long grams are written with: those of two bytes in UTF-8. Other texts have them, too; looking decides. */
const [FIRST, CHARACTERS] = [0x80, 0x780];

/** More distinct grams, in hex, do not fit into one tsvector: such a payload is looked at by every search of its account. */
export const GRAMS_MAX = 43_000;

/** U+0000 ends a text for SQLite's tokenizer, and half a character is no UTF-8: the index knows both as U+FFFD. */
export function indexable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

/** A text whose grams are the long grams of another. */
export function longText(text: string): string {
  return LONG_GRAMS.map((size) => hashed(text, size - GRAM + 1)).join("");
}

/** Each character stands for some units, so that three neighbours stand for a long gram. */
function hashed(text: string, units: number): string {
  const characters = new Uint16Array(Math.max(0, text.length - units + 1));
  for (let at = 0; at < characters.length; at++)
    characters[at] = FIRST + (hashOf(text, at, at + units) % CHARACTERS);
  return Buffer.from(characters.buffer).toString("utf16le");
}

/** 2^32 divided by the golden ratio, as multiplicative hashing takes it (Knuth, volume 3, 6.4). */
const MULTIPLIER = 0x9e3779b1;

/** Of a part of a text, 32 bits. It ends as MurmurHash3 does, else common letters would often share a character. */
export function hashOf(text: string, from: number, to: number): number {
  let hash = to - from;
  for (let unit = from; unit < to; unit++) {
    hash = Math.imul(hash ^ text.charCodeAt(unit), MULTIPLIER);
    hash ^= hash >>> 15;
  }
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

/** Adds the grams of an indexable text, long ones too, and returns its last characters: put them before what follows. */
export function addGrams(grams: Set<string>, text: string): string {
  eachGram(text, (of, from, to) => grams.add(of.slice(from, to)));
  const last = 1 - Math.max(...LONG_GRAMS);
  return text.slice(isLowSurrogate(text.at(last)) ? last - 1 : last);
}

/** Tells where the grams of an indexable text are, long ones in a text of their own. They repeat as they do in it. */
export function eachGram(text: string, visit: (of: string, from: number, to: number) => void): void {
  eachShortGram(text, visit);
  for (const size of LONG_GRAMS) eachShortGram(hashed(text, size - GRAM + 1), visit);
}

const isLowSurrogate = (unit = "") => unit >= "\udc00" && unit <= "\udfff";

function eachShortGram(text: string, visit: (of: string, from: number, to: number) => void): void {
  let [first, second, at] = [-1, -1, 0];
  while (at < text.length) {
    const next = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    if (first >= 0) visit(text, first, next);
    [first, second, at] = [second, at, next];
  }
}

export function gramsOf(text: string): Set<string> {
  const grams = new Set<string>();
  addGrams(grams, indexable(text));
  return grams;
}

const PRIVATE_PLANE = 0xf0000;
const DIGITS = 0x1000;
const HEX = 16;
/** As many as a gram has room for: three times twelve bits. */
const HASH_DIGITS = 9;

/**
 * A gram that says whose a payload is, of characters for private use. It narrows an index's work and keeps nobody out:
 * a payload of somebody else may hold it by itself.
 */
export function accountGram(account: number): string {
  return mark(account, 0);
}

/** A gram for payloads with too many grams of their own. */
export function wholeGram(account: number): string {
  return mark(account, GRAM);
}

/** What a commit is besides its payload, as far as searches filter by it through the index. */
export type Attributes = {
  readonly account: number;
  readonly agent: string;
  readonly model: string | null;
  readonly event: string;
  readonly label: string | null;
};

/** A gram that many values may share: what an index answers is compared in any case. */
export function attributeGram(kind: "agent" | "model" | "event", value: string): string {
  return mark(Number.parseInt(sha256Hex(`${kind} ${value}`).slice(0, HASH_DIGITS), HEX), 2 * GRAM);
}

/** Grams that a commit has besides those of its payload. A label is asked for as an event is. */
export function attributeGrams({ account, agent, model, event, label }: Attributes): string[] {
  const grams = [accountGram(account), attributeGram("agent", agent), attributeGram("event", event)];
  if (label !== null) grams.push(attributeGram("event", label));
  if (model !== null) grams.push(attributeGram("model", model));
  return grams;
}

function mark(value: number, row: number): string {
  let [rest, text] = [value, ""];
  for (let digit = 0; digit < GRAM; digit++) {
    text += String.fromCodePoint(PRIVATE_PLANE + (row + digit) * DIGITS + (rest % DIGITS));
    rest = Math.floor(rest / DIGITS);
  }
  return text;
}

/** Which documents of an index may hold a text: those with all of `all`, and those with `or`. */
export interface GramQuery {
  readonly all: readonly string[];
  readonly or: string;
}
