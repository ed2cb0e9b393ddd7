import type { Json, JsonObject } from "@darkmatter/core";
import fc from "fast-check";

/** One member of a JSON value, at any depth, and what to put in its place; `undefined` takes it out. */
export interface Alteration {
  readonly path: readonly (string | number)[];
  readonly value: Json | undefined;
}

/** Every member of a value replaced by anything, by its like, or by nothing. */
export function alterations(value: Json): fc.Arbitrary<Alteration> {
  const places = [...pathsOf(value, [])];
  return fc.constantFrom(...places).chain(({ path, value: now }) =>
    fc
      .oneof(
        fc.constant(undefined),
        fc.constantFrom<Json>(null, true, 0, 1, -1, 1.5, 2 ** 53, "", [], {}),
        fc.jsonValue().map((any) => any as Json),
        likeOf(now),
      )
      .map((instead) => ({ path, value: instead })),
  );
}

/** A copy with that one member altered. */
export function altered(value: JsonObject, { path, value: instead }: Alteration): JsonObject {
  const copy = structuredClone(value);
  let at: Record<string | number, Json> = copy;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, Json>;
  const last = path.at(-1) ?? "";
  if (instead === undefined) delete at[last];
  else at[last] = instead;
  return copy;
}

function* pathsOf(
  value: Json,
  path: Alteration["path"],
): Generator<{ path: Alteration["path"]; value: Json }> {
  if (path.length > 0) yield { path, value };
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    yield* pathsOf(member, [...path, Array.isArray(value) ? Number(name) : name]);
  }
}

/** Another value of the same form: a digit changed, a number nearby. */
function likeOf(value: Json): fc.Arbitrary<Json> {
  if (typeof value === "number") return fc.integer({ min: 0, max: value * 2 + 2 });
  if (typeof value !== "string" || value === "") return fc.constant(value);
  return fc
    .tuple(fc.nat(value.length - 1), fc.constantFrom(..."0123456789abcdefZ"))
    .map(([at, digit]) => value.slice(0, at) + digit + value.slice(at + 1));
}
