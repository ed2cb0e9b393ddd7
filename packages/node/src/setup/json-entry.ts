import {
  createScanner,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parse,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { type Edited, type Editor, isObject, sameBut, says } from "./edit.ts";

/**
 * Entries of JSON files that people also edit by hand: comments, trailing commas, indentation and line ends stay. A
 * file that no reading agrees on is left alone.
 */
export const jsonEntry: Editor = {
  find(text, keys) {
    const root = rootOf(text);
    if (typeof root === "string") return { kind: "refused", reason: root };
    const wrong = wrongContainer(root, keys);
    if (wrong) return { kind: "refused", reason: wrong };
    const node = root && findNodeAtLocation(root, [...keys]);
    if (!node) return { kind: "absent", container: !!root && !!findNodeAtLocation(root, keys.slice(0, -1)) };
    const source = bare(text).slice(node.offset, node.offset + node.length);
    return { kind: "found", value: getNodeValue(node), source };
  },

  put(text, keys, entry) {
    const found = jsonEntry.find(text, keys);
    if (found.kind === "refused") return found;
    if (found.kind === "found" && says(found.value, entry)) return { kind: "same" };
    const changed =
      found.kind === "found" ? merged(text, keys, found.value, entry) : added(text, keys, entry);
    return checked(text, changed, keys, (value) => says(value, entry));
  },

  take(text, keys, previous, container) {
    const found = jsonEntry.find(text, keys);
    if (found.kind === "refused") return found;
    if (found.kind === "absent") return { kind: "same" };
    if (previous !== undefined) return checked(text, replaced(text, keys, previous), keys, () => true);
    const changed = removed(text, keys);
    const left = valueAt(changed, keys.slice(0, -1));
    const isEmpty = container && isObject(left) && Object.keys(left).length === 0;
    const whole = isEmpty ? removed(changed, keys.slice(0, -1)) : changed;
    return checked(text, whole, keys, (value) => value === undefined);
  },
};

/** What is only formatting is trusted after it was read again: all else is as it was. */
function checked(
  before: string,
  after: string,
  keys: readonly string[],
  isRight: (value: unknown) => boolean,
): Edited {
  const root = rootOf(after);
  const isSound = typeof root !== "string" && sameBut(parsed(before), parsed(after), keys);
  if (!isSound || !isRight(valueAt(after, keys)))
    return { kind: "refused", reason: `it says ${keys[0]} more than once, or cannot be changed safely` };
  return after === before ? { kind: "same" } : { kind: "changed", text: after };
}

const READING = { allowTrailingComma: true, allowEmptyContent: true };
const BOM = "\ufeff";

/** The text without the mark that some editors put first. */
function bare(text: string): string {
  return text.startsWith(BOM) ? text.slice(1) : text;
}

function parsed(text: string): unknown {
  return parse(bare(text), [], READING) ?? {};
}

function valueAt(text: string, keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    parsed(text),
  );
}

/** The file's object, nothing for an empty file, or why it is neither. */
function rootOf(text: string): Node | undefined | string {
  const errors: ParseError[] = [];
  const body = bare(text);
  const root = parseTree(body, errors, READING);
  const [first] = errors;
  if (first) {
    const before = body.slice(0, first.offset).split("\n");
    return `it is damaged at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1} (${printParseErrorCode(first.error)})`;
  }
  if (root && root.type !== "object") return `it holds ${root.type} where an object belongs`;
  return root;
}

function wrongContainer(root: Node | undefined, keys: readonly string[]): string | undefined {
  for (let depth = 1; root && depth < keys.length; depth++) {
    const node = findNodeAtLocation(root, keys.slice(0, depth));
    if (node && node.type !== "object") return `its "${keys[depth - 1]}" is no object`;
  }
  return undefined;
}

interface Style {
  readonly eol: string;
  readonly indent: string;
}

function styleOf(text: string): Style {
  return {
    eol: text.includes("\r\n") ? "\r\n" : "\n",
    indent: /^([ \t]+)\S/m.exec(text)?.[1]?.replace(/^(\t)\t+$/, "$1") ?? "  ",
  };
}

/** Sets fields of an entry that is there, each by itself: what else it says, and its comments, stay. */
function merged(
  text: string,
  keys: readonly string[],
  value: unknown,
  entry: Readonly<Record<string, unknown>>,
): string {
  if (!isObject(value)) return replaced(text, keys, JSON.stringify(entry));
  return Object.entries(entry).reduce((now, [key, wanted]) => {
    if (says(valueAt(now, keys), { [key]: wanted })) return now;
    if (Object.hasOwn(value, key)) return replaced(now, [...keys, key], JSON.stringify(wanted));
    return inBare(now, (body) => {
      const container = nodeAt(body, keys);
      return container ? withMember(body, container, key, wanted) : body;
    });
  }, text);
}

function replaced(text: string, keys: readonly string[], source: string): string {
  return inBare(text, (body) => {
    const node = nodeAt(body, keys);
    return node ? body.slice(0, node.offset) + source + body.slice(node.offset + node.length) : body;
  });
}

/** Adds the entry as the last member of the innermost container there is. */
function added(text: string, keys: readonly string[], entry: Readonly<Record<string, unknown>>): string {
  return inBare(text, (body) => {
    if (body.trim() === "") return `${JSON.stringify(nested(keys, entry), null, 2)}\n`;
    let depth = keys.length - 1;
    while (depth > 0 && !nodeAt(body, keys.slice(0, depth))) depth--;
    const container = nodeAt(body, keys.slice(0, depth));
    const [name = "", ...inner] = keys.slice(depth);
    if (!container) return body;
    return withMember(body, container, name, nested(inner, entry));
  });
}

function nested(keys: readonly string[], value: unknown): unknown {
  return keys.reduceRight<unknown>((inside, key) => ({ [key]: inside }), value);
}

function withMember(text: string, container: Node, name: string, value: unknown): string {
  const { eol, indent } = styleOf(text);
  const close = container.offset + container.length - 1;
  const last = container.children?.at(-1);
  const outer = /^[ \t]*/.exec(lineAt(text, container.offset))?.[0] ?? "";
  const inner = outer + indent;
  const lines = JSON.stringify(value, null, indent)
    .split("\n")
    .join(eol + inner);
  const member = `${eol}${inner}${JSON.stringify(name)}: ${lines}`;
  const end = text.slice(0, close).trimEnd().length;
  const isOwnLine = /\n[ \t]*$/.test(text.slice(0, close));
  const tail = isOwnLine && last ? "" : `${eol}${outer}`;
  if (!last) return `${text.slice(0, end)}${member}${tail}${text.slice(close)}`;
  const lastEnd = last.offset + last.length;
  const comma = commaAfter(text, lastEnd);
  const rest = tail === "" ? text.slice(end) : tail + text.slice(close);
  // A list that ends in a comma keeps doing so, and a comment behind the last member stays with it.
  if (comma !== undefined) return `${text.slice(0, end)}${member},${rest}`;
  return `${text.slice(0, lastEnd)},${text.slice(lastEnd, end)}${member}${rest}`;
}

/** Takes a member out with its comma and the line break before it. */
function removed(text: string, keys: readonly string[]): string {
  return inBare(text, (body) => {
    const property = nodeAt(body, keys)?.parent;
    const siblings = property?.parent?.children;
    if (!property || !siblings) return body;
    const before = siblings[siblings.indexOf(property) - 1];
    const end = property.offset + property.length;
    const own = commaAfter(body, end);
    const gap = /(\r?\n)?[ \t]*$/.exec(body.slice(0, property.offset))?.[0].length ?? 0;
    const rest = body.slice((own ?? end - 1) + 1);
    const head = body.slice(0, property.offset - gap);
    if (siblings.length === 1) return head.trimEnd() + rest.trimStart();
    if (own !== undefined || !before) return head + rest;
    const comma = commaAfter(body, before.offset + before.length) ?? 0;
    return head.slice(0, comma) + head.slice(comma + 1) + rest;
  });
}

/** Where the next comma is, when nothing but space and comments lies before it. */
function commaAfter(text: string, offset: number): number | undefined {
  const scanner = createScanner(text, true);
  scanner.setPosition(offset);
  scanner.scan();
  const at = scanner.getTokenOffset();
  return text[at] === "," ? at : undefined;
}

function nodeAt(text: string, keys: readonly string[]): Node | undefined {
  const root = parseTree(text, [], READING);
  return root && findNodeAtLocation(root, [...keys]);
}

function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", start);
  return text.slice(start, end === -1 ? undefined : end);
}

function inBare(text: string, change: (body: string) => string): string {
  return (text.startsWith(BOM) ? BOM : "") + change(bare(text));
}
