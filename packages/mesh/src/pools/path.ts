export const PATH_MAX = 2048;

/** Printable ASCII but for what no path holds as it is: quotes, brackets, backslash, `^`, backtick, braces, `|`, `#`. */
const WRITTEN = /^\/[!$-;=?-Z_a-z~]*$/;
const UNRESERVED = /[A-Za-z0-9._~-]/;
/** Also escaped: a query may hold a path, or another query. */
const QUERY_BORDER = /[/?&=;]|%2F|%5C|%3F|%26|%3D|%3B/;
/** What divides or ends a path, and what escapes it. */
const SEPARATORS = "/\\%?#";
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

/**
 * The one form of a path that is matched and sent (RFC 3986 6.2.2): unreserved characters stand for themselves, other
 * escapes are in capitals. `undefined` for whatever servers may read differently than this check does: dot segments
 * and empty ones however written, escaped separators and control characters, escapes of escapes, backslashes,
 * fragments, other characters than ASCII, and escaped ones that some servers take for one of these. A query is taken as
 * it is, when it holds neither a dot segment nor control characters.
 */
export function checkedPath(path: string): string | undefined {
  if (path.length > PATH_MAX || !WRITTEN.test(path)) return undefined;
  const mark = path.indexOf("?");
  const query = mark < 0 ? undefined : path.slice(mark + 1);
  const normal = normalised(mark < 0 ? path : path.slice(0, mark));
  if (normal === undefined || !isPlain(normal)) return undefined;
  if (!query) return normal;
  const read = normalised(query, "");
  if (read === undefined || hasDotSegment(read.split(QUERY_BORDER))) return undefined;
  // URL parsers write an apostrophe so (WHATWG URL, special-query percent-encode set).
  return `${normal}?${query.replaceAll("'", "%27")}`;
}

/** Whether a checked path is an allowed one or lies below it: `/v1` allows `/v1/chat` and not `/v1x`. */
export function isBelow(path: string, allowed: string): boolean {
  const [place = ""] = path.split("?", 1);
  const top = allowed.replace(/\/+$/, "");
  return place === top || place.startsWith(`${top}/`);
}

/** With each escape read once; `undefined` where one is damaged or hides what a server may act on. */
function normalised(text: string, hiding = SEPARATORS): string | undefined {
  let isBad = false;
  const normal = text.replace(/%(.{0,2})/g, (_escape, pair: string) => {
    if (!HEX_PAIR.test(pair)) isBad = true;
    const code = Number.parseInt(pair, 16);
    const character = String.fromCharCode(code);
    if (code < 0x20 || code === 0x7f || hiding.includes(character)) isBad = true;
    return code < 0x80 && UNRESERVED.test(character) ? character : `%${pair.toUpperCase()}`;
  });
  return isBad || !isUtf8(normal) ? undefined : normal;
}

/** Overlong forms are not: `%c0%ae` was a dot to servers of old. */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped);
    return true;
  } catch {
    return false;
  }
}

/** Only the last segment may be empty: a slash at the end. */
function isPlain(path: string): boolean {
  const segments = path.slice(1).split("/");
  return (
    !segments.slice(0, -1).includes("") &&
    !hasDotSegment(segments) &&
    !segments.some((segment) => /[/\\%?#]/.test(compatible(segment)))
  );
}

/** `..;x` is one too: servers cut off what follows the semicolon; others cut off what follows a blank. */
function hasDotSegment(segments: readonly string[]): boolean {
  return segments.some((segment) => /^ *\.{1,2}( [ .]*)?$/.test(compatible(segment).split(";", 1)[0] ?? ""));
}

/** As servers read it that take `．` for a dot and `／` for a slash. */
const compatible = (segment: string): string => decodeURIComponent(segment).normalize("NFKC");
