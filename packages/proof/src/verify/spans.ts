/** A part of a text: from where, to before where. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const [OBJECT_OPEN, OBJECT_CLOSE, ARRAY_OPEN, ARRAY_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d];

/**
 * The members of an object that is written without white space and escaped names: from where each name's quote stands
 * to the end of its value. `undefined` for any other text. The values are not read, only passed.
 */
export function memberSpans(
  text: string,
): ReadonlyMap<string, Span & { readonly value: number }> | undefined {
  const members = new Map<string, Span & { value: number }>();
  if (text.charCodeAt(0) !== OBJECT_OPEN) return undefined;
  for (let at = 1; ; at++) {
    const colon = text.charCodeAt(at) === QUOTE ? endOfString(text, at) : -1;
    if (colon < 0 || text.charCodeAt(colon) !== COLON) return undefined;
    const name = text.slice(at + 1, colon - 1);
    const end = endOfValue(text, colon + 1);
    if (end < 0 || name.includes("\\") || members.has(name)) return undefined;
    members.set(name, { start: at, value: colon + 1, end });
    at = end;
    const unit = text.charCodeAt(at);
    if (unit === OBJECT_CLOSE) return at === text.length - 1 ? members : undefined;
    if (unit !== COMMA) return undefined;
  }
}

/**
 * How many commas and opening brackets stand outside of strings: no text holds more values than one more than that.
 * Counted up to where a string does not end.
 */
export function countMarks(text: string): number {
  let marks = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === COMMA || unit === OBJECT_OPEN || unit === ARRAY_OPEN) marks++;
    else if (unit === QUOTE) {
      const end = endOfString(text, at);
      if (end < 0) return marks;
      at = end - 1;
    }
  }
  return marks;
}

/** The items of an array written without white space between them; `undefined` for anything else. */
export function itemSpans(text: string, { start, end }: Span): readonly Span[] | undefined {
  const items: Span[] = [];
  if (text.charCodeAt(start) !== ARRAY_OPEN) return undefined;
  for (let at = start + 1; at < end; ) {
    const stop = endOfValue(text, at);
    if (stop < 0) return undefined;
    items.push({ start: at, end: stop });
    const unit = text.charCodeAt(stop);
    if (unit === ARRAY_CLOSE) return stop === end - 1 ? items : undefined;
    if (unit !== COMMA) return undefined;
    at = stop + 1;
  }
  return undefined;
}

/** Where a value ends, if it is one; -1 if none can. */
function endOfValue(text: string, start: number): number {
  const unit = text.charCodeAt(start);
  if (unit === QUOTE) return endOfString(text, start);
  if (unit === OBJECT_OPEN || unit === ARRAY_OPEN) return endOfNested(text, start);
  for (let at = start; at < text.length; at++) {
    const next = text.charCodeAt(at);
    if (next === COMMA || next === OBJECT_CLOSE || next === ARRAY_CLOSE) return at;
  }
  return -1;
}

function endOfNested(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      const end = endOfString(text, at);
      if (end < 0) return -1;
      at = end - 1;
    } else if (unit === OBJECT_OPEN || unit === ARRAY_OPEN) depth++;
    else if (unit === OBJECT_CLOSE || unit === ARRAY_CLOSE) {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return -1;
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An even number of backslashes escape each other.
    if ((at - before) % 2 === 1) return at + 1;
  }
}
