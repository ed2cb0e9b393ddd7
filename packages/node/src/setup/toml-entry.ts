import { parse, stringify, TomlError } from "smol-toml";
import { type Editor, isObject, sameBut, says } from "./edit.ts";

/** Entries of TOML files, each a table of its own: everything outside that table stays as it is. */
export const tomlEntry: Editor = {
  find(text, keys) {
    const whole = read(text);
    if (typeof whole === "string") return { kind: "refused", reason: whole };
    const container = keys.slice(0, -1).reduce<unknown>(member, whole);
    if (container !== undefined && !isObject(container))
      return { kind: "refused", reason: `its "${keys[0]}" is no table` };
    const value = keys.reduce<unknown>(member, whole);
    if (value === undefined) return { kind: "absent", container: container !== undefined };
    const source = blocksOf(text, keys)
      .map(({ start, end }) => text.slice(start, end))
      .join("");
    return { kind: "found", value, source };
  },

  put(text, keys, entry) {
    const found = tomlEntry.find(text, keys);
    if (found.kind === "refused") return found;
    if (found.kind === "found" && says(found.value, entry)) return { kind: "same" };
    const eol = text.includes("\r\n") ? "\r\n" : "\n";
    const kept = found.kind === "found" && isObject(found.value) ? found.value : {};
    const block = blockOf(keys, { ...kept, ...entry }, eol);
    const cleared = found.kind === "found" ? cut(text, keys) : text;
    const after = found.kind === "found" ? cleared.slice(0, firstCut(text, keys)) : ended(cleared, eol);
    const rest = found.kind === "found" ? cleared.slice(firstCut(text, keys)) : "";
    return checked(text, after + block + rest, keys, (value) => says(value, entry));
  },

  take(text, keys, previous) {
    const found = tomlEntry.find(text, keys);
    if (found.kind === "refused") return found;
    if (found.kind === "absent") return { kind: "same" };
    const at = firstCut(text, keys);
    const cleared = cut(text, keys);
    if (previous !== undefined)
      return checked(text, cleared.slice(0, at) + previous + cleared.slice(at), keys, () => true);
    // The empty line that was put before the table goes with it.
    const head = cleared.slice(0, at).replace(/(\r?\n)\r?\n$/, "$1");
    return checked(text, head + cleared.slice(at), keys, (value) => value === undefined);
  },
};

function checked(
  before: string,
  after: string,
  keys: readonly string[],
  isRight: (value: unknown) => boolean,
) {
  const now = read(after);
  const isSound =
    typeof now !== "string" && sameBut(read(before), now, keys) && isRight(keys.reduce<unknown>(member, now));
  if (!isSound)
    return {
      kind: "refused" as const,
      reason: `its "${keys[0]}" is written in a form that cannot be added to`,
    };
  return after === before ? { kind: "same" as const } : { kind: "changed" as const, text: after };
}

function read(text: string): Record<string, unknown> | string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return `it is damaged at line ${error.line}, column ${error.column}`;
  }
}

function member(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Tables inside the entry are written in one line each, so that the entry is one block. */
function blockOf(keys: readonly string[], entry: Readonly<Record<string, unknown>>, eol: string): string {
  const lines = Object.entries(entry).map(([key, value]) => `${key} = ${inline(value)}`);
  return [`[${keys.join(".")}]`, ...lines, ""].join(eol);
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (isObject(value) && !(value instanceof Date)) {
    const members = Object.entries(value).map(
      ([key, part]) => `${stringify({ [key]: 0 }).split(" = ")[0]} = ${inline(part)}`,
    );
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  return stringify({ a: value }).trim().slice("a = ".length);
}

interface Block {
  readonly start: number;
  readonly end: number;
}

/** The entry's table and those below it. A comment before the next table is that one's. */
function blocksOf(text: string, keys: readonly string[]): Block[] {
  const name = keys.map((key) => `["']?${key}["']?`).join("\\s*\\.\\s*");
  const ours = new RegExp(`^[ \\t]*\\[\\s*${name}\\s*[\\].]`);
  const lines = text.split(/(?<=\n)/);
  const blocks: Block[] = [];
  let offset = 0;
  let open: { start: number; end: number } | undefined;
  for (const line of lines) {
    if (/^[ \t]*\[/.test(line)) {
      if (open) blocks.push(open);
      open = ours.test(line) ? { start: offset, end: offset + line.length } : undefined;
    } else if (open && !/^[ \t]*(#.*)?\r?\n?$/.test(line)) open.end = offset + line.length;
    offset += line.length;
  }
  if (open) blocks.push(open);
  return blocks;
}

function firstCut(text: string, keys: readonly string[]): number {
  return blocksOf(text, keys)[0]?.start ?? text.length;
}

function cut(text: string, keys: readonly string[]): string {
  return blocksOf(text, keys).reduceRight(
    (now, { start, end }) => now.slice(0, start) + now.slice(end),
    text,
  );
}

/** A text that ends in an empty line, unless it is empty itself. */
function ended(text: string, eol: string): string {
  if (text === "") return "";
  return `${text}${text.endsWith("\n") ? "" : eol}${eol}`;
}
