import { type ExactJson, ExactNumber, type ExactObject, isExactObject } from "@darkmatter/core";

/** Names of members and places in lists, from the top. */
export type Path = readonly (string | number)[];

/** A value changed; `undefined` where the edit makes no sense there. */
export type Edit = (value: ExactJson) => ExactJson | undefined;

/** Every value below, the top included, parents first. */
export function* pathsOf(value: ExactJson, at: Path = []): Generator<Path> {
  yield at;
  if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* pathsOf(item, [...at, index]);
  else if (isObject(value)) for (const [name, member] of value) yield* pathsOf(member, [...at, name]);
}

export function isObject(value: ExactJson | undefined): value is ExactObject {
  return value !== undefined && isExactObject(value);
}

export function valueAt(value: ExactJson, [step, ...rest]: Path): ExactJson | undefined {
  if (step === undefined) return value;
  const inside = childOf(value, step);
  return inside === undefined ? undefined : valueAt(inside, rest);
}

function childOf(value: ExactJson, step: string | number): ExactJson | undefined {
  if (Array.isArray(value)) return (value as readonly ExactJson[])[Number(step)];
  return isObject(value) ? value.get(String(step)) : undefined;
}

/** The whole with one value changed; nothing else is copied deep. */
export function edited(whole: ExactJson, [step, ...rest]: Path, edit: Edit): ExactJson | undefined {
  if (step === undefined) return edit(whole);
  const inside = childOf(whole, step);
  const changed = inside === undefined ? undefined : edited(inside, rest, edit);
  if (changed === undefined) return undefined;
  if (Array.isArray(whole)) return whole.with(Number(step), changed) as readonly ExactJson[];
  return isObject(whole) ? new Map([...whole]).set(String(step), changed) : undefined;
}

type Named = readonly [name: string, edit: Edit];

const number = (token: string) => new ExactNumber(token);
const HEX = /^(?:sha256:)?[0-9a-f]{16,}$/;

function characterChanged(at: number): Edit {
  return (value) => {
    if (typeof value !== "string" || value.length === 0) return undefined;
    const place = Math.floor(at * (value.length - 1));
    const digit = value[place] ?? "";
    // One bit of a hex digit, so that the form stays; of any other text, one character.
    const changed = HEX.test(value)
      ? (Number.parseInt(digit, 16) ^ 1).toString(16)
      : digit === "x"
        ? "y"
        : "x";
    return `${value.slice(0, place)}${changed}${value.slice(place + 1)}`;
  };
}

const ofString =
  (edit: (text: string) => string): Edit =>
  (value) =>
    typeof value === "string" ? edit(value) : undefined;

const swapCase = (text: string) => (text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase());

const ofCount =
  (by: number): Edit =>
  (value) =>
    value instanceof ExactNumber ? number(String(Number(value.token) + by)) : undefined;

const always =
  (replacement: ExactJson): Edit =>
  () =>
    replacement;

const ofList =
  (edit: (items: readonly ExactJson[]) => readonly ExactJson[] | undefined): Edit =>
  (value) =>
    Array.isArray(value) && value.length > 0 ? edit(value) : undefined;

/** What is done to a value where it stands. */
export const VALUE_EDITS: readonly Named[] = [
  ["first character changed", characterChanged(0)],
  ["middle character changed", characterChanged(0.5)],
  ["last character changed", characterChanged(1)],
  ["case swapped", ofString(swapCase)],
  ["space appended", ofString((text) => `${text} `)],
  ["line break appended", ofString((text) => `${text}\n`)],
  ["cut short", ofString((text) => text.slice(0, -1))],
  ["emptied", ofString(() => "")],
  ["one more", ofCount(1)],
  ["one less", ofCount(-1)],
  ["as a float", (value) => (value instanceof ExactNumber ? number(`${value.token}.0`) : undefined)],
  ["as a string", (value) => (value instanceof ExactNumber ? value.token : undefined)],
  ["beyond 2^53", (value) => (value instanceof ExactNumber ? number("9007199254740993") : undefined)],
  ["negated", (value) => (typeof value === "boolean" ? !value : undefined)],
  ["made null", always(null)],
  ["made true", always(true)],
  ["made zero", always(number("0"))],
  ["made minus zero", always(number("-0"))],
  ["made a string", always("text")],
  ["made an object", always(new Map())],
  ["made a list", always([])],
  ["wrapped in a list", (value) => [value]],
  ["reversed", ofList((items) => items.toReversed())],
  ["given an unknown member", inserted("unknown")],
  ["given a member __proto__", inserted("__proto__")],
];

/** What is done to the items of a list or the members of an object, told by `at`. */
export const INSIDE_EDITS: readonly (readonly [name: string, edit: (at: string | number) => Edit])[] = [
  ["removed", (at) => (value) => withoutChild(value, at)],
  ["repeated", (at) => ofList((items) => items.toSpliced(Number(at), 0, items[Number(at)]!))],
  ["repeated at the end", (at) => ofList((items) => [...items, items[Number(at)]!])],
  ["swapped with the next", (at) => (value) => swappedWithNext(value, at)],
  ["moved to the front", (at) => ofList((items) => [items[Number(at)]!, ...items.toSpliced(Number(at), 1)])],
  ["renamed", (at) => (value) => renamed(value, at)],
];

function inserted(name: string): Edit {
  return (value) => (isObject(value) ? new Map([...value]).set(name, number("1")) : undefined);
}

function withoutChild(value: ExactJson, at: string | number): ExactJson | undefined {
  if (Array.isArray(value)) return value.toSpliced(Number(at), 1);
  return isObject(value) ? new Map([...value].filter(([name]) => name !== at)) : undefined;
}

function swappedWithNext(value: ExactJson, at: string | number): ExactJson | undefined {
  if (Array.isArray(value)) {
    const items: readonly ExactJson[] = value;
    const [one, next] = [items[Number(at)], items[Number(at) + 1]];
    return one === undefined || next === undefined ? undefined : items.toSpliced(Number(at), 2, next, one);
  }
  if (!isObject(value)) return undefined;
  const names = [...value.keys()];
  const [one, next] = [String(at), names[names.indexOf(String(at)) + 1]];
  const [ofOne, ofNext] = [value.get(one), value.get(next ?? "")];
  if (next === undefined || ofOne === undefined || ofNext === undefined) return undefined;
  return new Map([...value]).set(one, ofNext).set(next, ofOne);
}

function renamed(value: ExactJson, at: string | number): ExactJson | undefined {
  if (!isObject(value)) return undefined;
  return new Map([...value].map(([name, member]) => [name === at ? `${name}_` : name, member]));
}
