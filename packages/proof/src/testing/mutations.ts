import {
  canon1,
  type ExactJson,
  type ExactObject,
  readExactJson,
  sha256Hex,
  utf8,
  writeExactJson,
} from "@darkmatter/core";
import { prefixed } from "../chain.ts";
import { UNBOUND } from "../verify/not-proven.ts";
import { differences } from "./differences.ts";
import {
  type Edit,
  edited,
  INSIDE_EDITS,
  isObject,
  type Path,
  pathsOf,
  VALUE_EDITS,
  valueAt,
} from "./edits.ts";
import type { TestKey } from "./keys.ts";

/** A bundle to alter, its exporter's key, and other valid bundles to take pieces from. */
export interface Subject {
  readonly name: string;
  readonly text: string;
  readonly key: TestKey;
  readonly others: readonly string[];
}

/**
 * `raw`: the file was changed. `resealed`: its own exporter changed it and wrote export_hash and export_sig anew.
 * `mirrored`: resealed, with the same change in `chain` and in `commits`.
 */
export type MutationForm = "raw" | "resealed" | "mirrored" | "text";

/**
 * `caught`: the check has to fail. `same`: it says the same thing in other bytes, so the verdict stays. `free`: a member
 * that nothing binds (`UNBOUND`), so both are right.
 */
export type Expectation = "caught" | "same" | "free";

export interface Mutation {
  readonly name: string;
  readonly form: MutationForm;
  readonly expected: Expectation;
  readonly bytes: Uint8Array;
}

/** Mutations that are made when asked for; `undefined` where one makes no sense. */
export interface Mutations {
  readonly count: number;
  at(index: number): Mutation | undefined;
}

/** A change of the value that a bundle is, before it is written down. */
interface Change {
  readonly name: string;
  readonly path: Path;
  readonly edit: Edit;
}

/** Between two cuts, and two bits that are flipped: a prime, so that they fall everywhere. */
const BYTES_BETWEEN = 7;

/** Every way in which this harness alters a bundle. */
export function mutationsOf(subject: Subject): Mutations {
  const whole = readExactJson(subject.text);
  if (!isObject(whole)) throw new TypeError("not a bundle");
  const changes = [
    ...changesOf(whole),
    ...splicesOf(
      whole,
      subject.others.map((text) => readExactJson(text)),
    ),
  ];
  const mirrored = changes.filter(
    ({ path: [top, step, name] }) => top === "chain" && (step === undefined || name !== ""),
  );
  const duplicates = [...pathsOf(whole)].filter((path) => typeof path.at(-1) === "string");
  const kinds: readonly (readonly [count: number, make: (index: number) => Mutation | undefined])[] = [
    [changes.length, (index) => rawMutation(subject, whole, changes[index]!)],
    [changes.length, (index) => resealedMutation(subject, whole, changes[index]!)],
    [mirrored.length, (index) => mirroredMutation(subject, whole, mirrored[index]!)],
    [
      2 * duplicates.length,
      (index) => duplicateKey(subject, whole, duplicates[index >> 1]!, index % 2 === 0),
    ],
    [Math.floor(subject.text.length / BYTES_BETWEEN), (index) => truncated(subject, index * BYTES_BETWEEN)],
    [Math.floor(subject.text.length / BYTES_BETWEEN), (index) => bitFlipped(subject, index * BYTES_BETWEEN)],
    [duplicates.length, (index) => rewritten(subject, whole, duplicates[index]!)],
  ];
  return {
    count: kinds.reduce((sum, [count]) => sum + count, 0),
    at(index) {
      let rest = index;
      for (const [count, make] of kinds) {
        if (rest < count) return make(rest);
        rest -= count;
      }
      return undefined;
    },
  };
}

function* changesOf(whole: ExactJson): Generator<Change> {
  for (const path of pathsOf(whole)) {
    for (const [name, edit] of VALUE_EDITS) yield { name, path, edit };
    const [last, parent] = [path.at(-1), path.slice(0, -1)];
    if (last === undefined) continue;
    for (const [name, edit] of INSIDE_EDITS)
      yield { name: `${last} ${name}`, path: parent, edit: edit(last) };
  }
}

/** The same place of another bundle in its stead. */
function* splicesOf(whole: ExactJson, others: readonly ExactJson[]): Generator<Change> {
  for (const path of pathsOf(whole)) {
    // Another bundle as a whole is no change of this one.
    if (path.length === 0) continue;
    for (const [at, other] of others.entries()) {
      const theirs = valueAt(other, path);
      if (theirs === undefined) continue;
      yield { name: `taken from another bundle (${at})`, path, edit: () => theirs };
    }
  }
}

function rawMutation(
  subject: Subject,
  whole: ExactObject,
  { name, path, edit }: Change,
): Mutation | undefined {
  const changed = edited(whole, path, edit);
  if (changed === undefined) return undefined;
  return mutation(subject, `${path.join(".")}: ${name}`, "raw", writeExactJson(changed), "caught");
}

function resealedMutation(
  subject: Subject,
  whole: ExactObject,
  { name, path, edit }: Change,
): Mutation | undefined {
  const changed = edited(whole, path, edit);
  if (changed === undefined || !isObject(changed)) return undefined;
  const text = writeExactJson(resealed(changed, subject.key));
  return mutation(subject, `${path.join(".")}: ${name}`, "resealed", text, expectationOf(whole, changed));
}

function mirroredMutation(
  subject: Subject,
  whole: ExactObject,
  { name, path, edit }: Change,
): Mutation | undefined {
  const first = edited(whole, path, edit);
  const second = first && edited(first, ["commits", ...path.slice(1)], mirroredEdit(whole, path, edit));
  if (second === undefined || !isObject(second)) return undefined;
  const text = writeExactJson(resealed(second, subject.key));
  return mutation(subject, `${path.join(".")}: ${name}`, "mirrored", text, expectationOf(whole, second));
}

/** A whole passport is a commit without its flat members, which stay as they are. */
function mirroredEdit(whole: ExactObject, path: Path, edit: Edit): Edit {
  if (path.length !== 2) return edit;
  const passport = valueAt(whole, path);
  return (commit) => {
    const changed = passport === undefined ? undefined : edit(passport);
    if (!isObject(changed) || !isObject(commit) || !isObject(passport)) return changed;
    const flat = [...commit].filter(([name]) => !passport.has(name));
    return new Map([...changed, ...flat]);
  };
}

/** What the exporter itself can do: its signature and the hash over the changed file. */
export function resealed(bundle: ExactObject, key: TestKey): ExactObject {
  const unsealed = new Map([...bundle].filter(([name]) => name !== "export_hash" && name !== "export_sig"));
  const signed = new Map(unsealed);
  // A file that never had a signature gets none: it is a change too to leave it out.
  if (bundle.has("export_sig")) {
    signed.set("export_sig", key.sign(`darkmatter.export.v1\n${sha256Hex(canon1(unsealed))}`));
  }
  if (!bundle.has("export_hash")) return signed;
  return new Map(signed).set("export_hash", prefixed(sha256Hex(canon1(signed))));
}

/** Whether its exporter is free to do all that was done, in `chain` and in `commits` alike. */
function expectationOf(whole: ExactObject, changed: ExactObject): Expectation {
  const all = [...differences(whole, changed)].map(({ path, freedom }) => ({
    path,
    freedom,
    key: `${path} ${freedom}`,
  }));
  const keys = new Set(all.map(({ key }) => key));
  const free = new Set(UNBOUND.map(({ path, freedom }) => `${path} ${freedom}`));
  const isFree = ({ path, key }: { readonly path: string; readonly key: string }) => {
    if (path === "export_hash" || path === "export_sig") return true;
    const [inChain, inCommits] = [key.replace(/^commits\./, "chain."), key.replace(/^chain\./, "commits.")];
    return free.has(key) && !key.startsWith("chain.")
      ? true
      : free.has(inChain) && keys.has(inChain) && keys.has(inCommits);
  };
  return all.every(isFree) ? "free" : "caught";
}

/** A key twice in one object: no reader may choose. */
function duplicateKey(
  subject: Subject,
  whole: ExactObject,
  path: Path,
  isSame: boolean,
): Mutation | undefined {
  const name = String(path.at(-1));
  const value = valueAt(whole, path);
  if (value === undefined) return undefined;
  const text = writtenWith(
    whole,
    path,
    (written) => `${written},${JSON.stringify(name)}:${isSame ? written : "null"}`,
  );
  return mutation(subject, `${path.join(".")}: key twice`, "text", text, "caught");
}

/** Stands for the place whose text is written by hand. */
const PLACE = "written by hand instead";

function writtenWith(whole: ExactObject, path: Path, write: (text: string) => string): string {
  const text = writeExactJson(edited(whole, path, () => PLACE) ?? null);
  const [before = "", after = ""] = text.split(JSON.stringify(PLACE));
  return before + write(writeExactJson(valueAt(whole, path) ?? null)) + after;
}

/** Bytes of the file up to one; a file cut anywhere is none. */
function truncated({ name, text }: Subject, index: number): Mutation {
  const bytes = utf8(text);
  const cut = Math.min(index, bytes.length - 1);
  return {
    name: `${name}: cut after ${cut} bytes`,
    form: "text",
    expected: "caught",
    bytes: bytes.slice(0, cut),
  };
}

function bitFlipped({ name, text }: Subject, index: number): Mutation {
  const bytes = utf8(text);
  const at = Math.min(index, bytes.length - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (index % 8));
  return {
    name: `${name}: bit ${index % 8} of byte ${at} flipped`,
    form: "text",
    expected: expectedOf(text, bytes),
    bytes,
  };
}

/** The same said otherwise: white space, the order of members, escapes. */
function rewritten(subject: Subject, whole: ExactObject, path: Path): Mutation | undefined {
  const object = valueAt(whole, path.slice(0, -1));
  if (!isObject(object)) return undefined;
  const turned = edited(whole, path.slice(0, -1), () => new Map([...object].reverse())) ?? whole;
  if (!isObject(turned)) return undefined;
  const text = writtenWith(turned, path, (written) => `\n\t ${escaped(written)} \r`);
  return mutation(subject, `${path.join(".")}: written otherwise`, "text", text, "same");
}

/** A string's characters as escapes; anything else as it stands. */
function escaped(written: string): string {
  if (!written.startsWith('"')) return written;
  const text = JSON.parse(written) as string;
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}

function mutation(
  { name, text: original }: Subject,
  what: string,
  form: MutationForm,
  text: string,
  wanted: Expectation,
): Mutation {
  const bytes = utf8(text);
  const expected = wanted === "free" ? wanted : expectedOf(original, bytes);
  return { name: `${name}: ${what} (${form})`, form, expected, bytes };
}

/** Whatever says another thing has to be caught. */
function expectedOf(original: string, bytes: Uint8Array): Expectation {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  try {
    return canon1(readExactJson(text)) === original ? "same" : "caught";
  } catch {
    // Not to be read at all.
    return "caught";
  }
}
