/** What became of a text that was to be changed. */
export type Edited =
  | { readonly kind: "changed"; readonly text: string }
  | { readonly kind: "same" }
  /** It was left alone. `reason` is a clause: "line 3 is no JSON". */
  | { readonly kind: "refused"; readonly reason: string };

export type Found =
  /** `source` is the entry as it stands in the file. */
  | { readonly kind: "found"; readonly value: unknown; readonly source: string }
  | { readonly kind: "absent"; readonly container: boolean }
  | { readonly kind: "refused"; readonly reason: string };

/** One entry in a client's configuration, put in and taken out with all else as it was. */
export interface Editor {
  find(text: string, keys: readonly string[]): Found;
  /** Adds the entry; of one that is there the named fields are set and the others kept. */
  put(text: string, keys: readonly string[], entry: Readonly<Record<string, unknown>>): Edited;
  /** Removes the entry, or puts `previous` (its source) back; `container`: also what held it, once it is empty. */
  take(text: string, keys: readonly string[], previous: string | undefined, container: boolean): Edited;
}

/** Whether an entry says all that is wanted of it; it may say more. */
export function says(value: unknown, entry: Readonly<Record<string, unknown>>): boolean {
  if (typeof value !== "object" || value === null) return false;
  const said = value as Record<string, unknown>;
  return Object.entries(entry).every(([key, wanted]) => {
    // A user who switched the entry off is not overruled.
    if (key === "enabled") return true;
    return canonical(said[key]) === canonical(wanted);
  });
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? "undefined"
  );
}

/** Whether two parsed files say the same but for one entry. */
export function sameBut(before: unknown, after: unknown, keys: readonly string[]): boolean {
  return canonical(without(before, keys)) === canonical(without(after, keys));
}

/** A copy without the entry, and without containers that hold nothing else. */
function without(value: unknown, keys: readonly string[]): unknown {
  const [key, ...rest] = keys;
  if (typeof value !== "object" || value === null || Array.isArray(value) || key === undefined) return value;
  const copy = { ...(value as Record<string, unknown>) };
  if (rest.length > 0 && copy[key] !== undefined) copy[key] = without(copy[key], rest);
  const left = copy[key];
  if (rest.length === 0 || (isObject(left) && Object.keys(left).length === 0)) delete copy[key];
  return copy;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
