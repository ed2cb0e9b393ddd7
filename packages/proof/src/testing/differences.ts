import { canon1, type ExactJson } from "@darkmatter/core";
import type { Unbound } from "../verify/not-proven.ts";
import { isObject, type Path } from "./edits.ts";

/** In what two values differ, each place as what an exporter would have to be free to do there. */
export function* differences(one: ExactJson, other: ExactJson, path: Path = []): Generator<Unbound> {
  if (one === other || textOf(one) === textOf(other)) return;
  if (Array.isArray(one) && Array.isArray(other)) yield* ofLists(one, other, path);
  else if (isObject(one) && isObject(other)) {
    for (const name of new Set([...one.keys(), ...other.keys()])) {
      const [before, after] = [one.get(name), other.get(name)];
      if (before === undefined) yield { path: patternOf(path), freedom: "members" };
      else if (after === undefined) yield { path: patternOf([...path, name]), freedom: "presence" };
      else yield* differences(before, after, [...path, name]);
    }
  } else yield { path: patternOf(path), freedom: "value" };
}

function* ofLists(one: readonly ExactJson[], other: readonly ExactJson[], path: Path): Generator<Unbound> {
  const [before, after] = [one.map(textOf), other.map(textOf)];
  const items = patternOf([...path, 0]);
  const isNew = after.some((text) => !before.includes(text));
  if (isNew && one.length !== other.length) yield { path: patternOf(path), freedom: "value" };
  else if (isNew) for (const [at, item] of one.entries()) yield* differences(item, other[at]!, [...path, at]);
  else {
    if (after.length !== before.length || new Set(after).size !== new Set(before).size) {
      yield { path: items, freedom: "presence" };
    }
    const places = after.map((text) => before.indexOf(text));
    if (places.some((place, at) => place < (places[at - 1] ?? 0))) yield { path: items, freedom: "order" };
  }
}

const texts = new WeakMap<object, string>();

/** canon-1, remembered: thousands of mutations share most of their parts with one bundle. */
function textOf(value: ExactJson): string {
  if (typeof value !== "object" || value === null) return canon1(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = canon1(value);
  texts.set(value, text);
  return text;
}

function patternOf(path: Path): string {
  return path.map((step) => (typeof step === "number" ? "*" : step)).join(".");
}
