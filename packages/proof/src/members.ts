import { type ExactJson, ExactNumber, type Json } from "@darkmatter/core";

const INTEGER = /^(?:-?0|[1-9]\d{0,15})$/;

/** An object's members; integers from 0 to 2^53 - 1 as numbers, and what is none stays what no form accepts. */
export function membersOf(value: ExactJson | Json): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) {
    return new Map([...value].map(([name, member]: [string, ExactJson]) => [name, plain(member)]));
  }
  const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
  return isPlain ? new Map(Object.entries(value)) : undefined;
}

function plain(member: ExactJson): unknown {
  return member instanceof ExactNumber && INTEGER.test(member.token) ? Number(member.token) + 0 : member;
}

/** Which members an object must have, and what each has to be. */
export type Form<Shape> = Readonly<Record<keyof Shape & string, (value: unknown) => boolean>>;

/** Those of the object's members that the form names; `undefined` when one is missing or not in its form. */
export function shaped<Shape>(members: ReadonlyMap<string, unknown>, form: Form<Shape>): Shape | undefined {
  const forms = Object.entries<(value: unknown) => boolean>(form);
  if (!forms.every(([name, isForm]) => isForm(members.get(name)))) return undefined;
  return Object.fromEntries(forms.map(([name]) => [name, members.get(name)])) as Shape;
}

export function hasOnly(members: ReadonlyMap<string, unknown>, names: readonly string[]): boolean {
  return [...members.keys()].every((name) => names.includes(name));
}

export const orNull =
  (isForm: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || isForm(value);
