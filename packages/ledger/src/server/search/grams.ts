import { sha256Hex } from "@darkmatter/core";

/** Code points of a gram. Shorter queries find no help in an index of grams. */
const GRAM = 3;

/** More distinct grams than this are not indexed: such a payload is looked at by every search of its account. */
export const GRAMS_MAX = 32_768;

/** U+0000 ends a text for SQLite's tokenizer, and half a character is no UTF-8: the index knows both as U+FFFD. */
export function indexable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

/** Adds the grams of an indexable text, and returns its last characters: put them before what follows. */
export function addGrams(grams: Set<string>, text: string): string {
  let [first, second, at] = [-1, -1, 0];
  while (at < text.length) {
    const next = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    if (first >= 0) grams.add(text.slice(first, next));
    [first, second, at] = [second, at, next];
  }
  return first < 0 ? text : text.slice(first);
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
 * A gram that says whose a payload is, of characters for private use. A payload that holds it by itself is found a
 * little more often than it needs to be: what an index answers is looked at in any case.
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
