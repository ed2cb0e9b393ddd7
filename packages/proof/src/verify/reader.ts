import { type ExactJson, ExactNumber, type ExactObject, isExactObject } from "@darkmatter/core";

/** Turns a JSON value into a typed one. `undefined` stands for a member that is not there. @throws Mismatch */
export type Read<T> = (value: ExactJson | undefined) => T;
export type Reads<T> = { readonly [Name in keyof T]-?: Read<T[Name]> };

/** A value that has not the form it must have, and where. */
export class Mismatch extends Error {
  override readonly name = "Mismatch";
  reason: string;
  /** Outermost first: `.chain`, `[3]`, `.id`. */
  path: string;

  constructor(reason: string, path = "") {
    super();
    this.reason = reason;
    this.path = path;
  }
}

const mismatch = (value: ExactJson | undefined, form: string): never => {
  throw new Mismatch(value === undefined ? "is missing" : `is not ${form}`);
};

/** Throws on, with the place named. */
function rethrownAt(where: string, error: unknown): unknown {
  if (error instanceof Mismatch) error.path = where + error.path;
  return error;
}

export const text: Read<string> = (value) =>
  typeof value === "string" ? value : mismatch(value, "a string");

export const flag: Read<boolean> = (value) =>
  typeof value === "boolean" ? value : mismatch(value, "true or false");

const COUNT = /^(?:-?0|[1-9][0-9]{0,15})$/;

/** An integer token from 0 to 2^53 - 1. */
export const count: Read<number> = (value) => {
  const number =
    value instanceof ExactNumber && COUNT.test(value.token) ? Number(value.token) + 0 : Number.NaN;
  return Number.isSafeInteger(number) ? number : mismatch(value, "a whole number from 0 to 2^53 - 1");
};

export const anObject: Read<ExactObject> = (value) =>
  value !== undefined && isExactObject(value) ? value : mismatch(value, "an object");

/** A text for which `holds`. */
export const textOf =
  (form: string, holds: (value: string) => boolean): Read<string> =>
  (value) =>
    typeof value === "string" && holds(value) ? value : mismatch(value, form);

export const pattern = (form: string, expression: RegExp): Read<string> =>
  textOf(form, (value) => expression.test(value));

export const constant =
  <const T extends string | boolean | null>(wanted: T): Read<T> =>
  (value) =>
    value === wanted ? wanted : mismatch(value, JSON.stringify(wanted));

export const oneOf =
  <const T extends string>(...wanted: readonly T[]): Read<T> =>
  (value) =>
    wanted.find((one) => one === value) ?? mismatch(value, `one of ${wanted.join(", ")}`);

export const orNull =
  <T>(read: Read<T>): Read<T | null> =>
  (value) =>
    value === null ? null : read(value);

/** Missing and null mean the same. */
export const optional =
  <T>(read: Read<T>): Read<T | undefined> =>
  (value) =>
    value === undefined || value === null ? undefined : read(value);

/** May be missing, but not null. */
export const ifThere =
  <T>(read: Read<T>): Read<T | undefined> =>
  (value) =>
    value === undefined ? undefined : read(value);

export const listOf =
  <T>(read: Read<T>, least = 0): Read<readonly T[]> =>
  (value) => {
    if (!Array.isArray(value)) return mismatch(value, "a list");
    const items: readonly ExactJson[] = value;
    if (items.length < least) throw new Mismatch("is empty");
    return items.map((item, at) => {
      try {
        return read(item);
      } catch (error) {
        throw rethrownAt(`[${at}]`, error);
      }
    });
  };

/** An object with these members, and others that are not looked at. */
export const openObject = <T extends object>(members: Reads<T>): Read<T> => objectOf(members, false);

/** An object with these members and no other. */
export const closedObject = <T extends object>(members: Reads<T>): Read<T> => objectOf(members, true);

function objectOf<T extends object>(members: Reads<T>, isClosed: boolean): Read<T> {
  const reads = Object.entries(members) as [keyof T & string, Read<T[keyof T & string]>][];
  return (value) => {
    const object = anObject(value);
    const found = {} as T;
    let present = 0;
    for (const [name, read] of reads) {
      const member = object.get(name);
      if (member !== undefined) present++;
      try {
        found[name] = read(member);
      } catch (error) {
        throw rethrownAt(`.${name}`, error);
      }
    }
    if (isClosed && present < object.size) throw unknownMember(object, members);
    return found;
  };
}

function unknownMember(object: ExactObject, members: object): Mismatch {
  const unknown = [...object.keys()].find((name) => !Object.hasOwn(members, name));
  return new Mismatch(`has the unknown member ${JSON.stringify(unknown)}`);
}
