/**
 * What a search compares (docs/server.md, "Search"): the payload's text as it was committed, the escapes inside its
 * strings resolved, both it and the query folded. Folding is lower case by Unicode, whatever the language, with one
 * small sigma; it never looks at neighbours, so a part of a text folds to a part of the folded text.
 */
export function folded(text: string): string {
  // Lower case writes a capital sigma in two ways, depending on what follows it.
  return text.toLowerCase().replaceAll("\u03c2", "\u03c3");
}

/** Characters of a payload that are made comparable without giving others their turn. */
export const PIECE_CHARACTERS = 65_536;

/** The text that is searched, whole: for payloads of one piece. */
export function searchedText(payload: string): string {
  if (!payload.includes("\\")) return folded(payload);
  return [...searchedPieces(payload)].join("");
}

/** The text that is searched, in parts of about `PIECE_CHARACTERS`. */
export function* searchedPieces(payload: string): Generator<string> {
  let [at, slash] = [0, nextSlash(payload, 0)];
  while (at < payload.length) {
    const end = at + PIECE_CHARACTERS;
    let piece = "";
    while (at < payload.length && (at < end || endsInHalf(piece))) {
      if (slash > at) {
        const until = Math.min(slash, Math.max(end, at + 1));
        piece += payload.slice(at, until);
        at = until;
      } else {
        const [character, length] = unescaped(payload, at);
        piece += character;
        at += length;
        slash = nextSlash(payload, at);
      }
    }
    yield folded(piece);
  }
}

function nextSlash(payload: string, from: number): number {
  const found = payload.indexOf("\\", from);
  return found < 0 ? payload.length : found;
}

/** Half of a character beyond U+FFFF: the other half belongs to the same piece. */
function endsInHalf(piece: string): boolean {
  const last = piece.charCodeAt(piece.length - 1);
  return last >= 0xd800 && last < 0xdc00;
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const HEX = 16;

/** What an escape of JSON stands for, and how long it is. A stored text was read as JSON before. */
function unescaped(payload: string, at: number): readonly [string, number] {
  const kind = payload[at + 1] ?? "";
  if (kind !== "u") return [ESCAPES[kind] ?? kind, 2];
  return [String.fromCharCode(Number.parseInt(payload.slice(at + 2, at + 6), HEX)), 6];
}

/**
 * Finds a text in parts of a longer one. Takes a time that grows with both lengths, never with their product: engines
 * of JavaScript do not promise that of `includes` for long texts that repeat themselves (Knuth, Morris and Pratt 1977).
 */
export function createFinder(needle: string): (pieces: Iterable<string>) => Generator<undefined, boolean> {
  const back = fallbacks(needle);
  return function* isIn(pieces) {
    let matched = 0;
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at++) {
        const unit = piece.charCodeAt(at);
        while (matched > 0 && needle.charCodeAt(matched) !== unit) matched = back[matched - 1] ?? 0;
        if (needle.charCodeAt(matched) === unit) matched++;
        if (matched === needle.length) return true;
      }
      yield;
    }
    return false;
  };
}

/** How much of the needle still matches when the character after so many does not. */
function fallbacks(needle: string): Uint32Array {
  const back = new Uint32Array(needle.length);
  let matched = 0;
  for (let at = 1; at < needle.length; at++) {
    while (matched > 0 && needle.charCodeAt(matched) !== needle.charCodeAt(at))
      matched = back[matched - 1] ?? 0;
    if (needle.charCodeAt(matched) === needle.charCodeAt(at)) matched++;
    back[at] = matched;
  }
  return back;
}
