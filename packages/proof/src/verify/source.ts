import {
  canon1,
  type ExactJson,
  type ExactObject,
  isExactObject,
  sha256Hex,
  sha256HexOf,
  utf8,
} from "@darkmatter/core";
import { isSamePassport, readStep, type Step } from "./bundle-form.ts";
import { type Member, readCanonically } from "./canonical-reading.ts";
import { anObject, listOf, Mismatch } from "./reader.ts";
import { itemSpans, memberSpans, type Span } from "./spans.ts";
import type { StepForms } from "./step-form.ts";

/** The text of a bundle, opened: all but the steps is read, and these are read one by one. */
export interface Source {
  /** The top object. `chain` and `commits` may be empty here. */
  readonly top: ExactObject;
  readonly steps: number;
  /** Whether everything is read already. */
  readonly isWhole: boolean;
  /** @throws Mismatch; Unusual */
  step(at: number, forms: StepForms): Step;
  /** H(canon-1 of the top object without these members). To be asked after the steps. */
  hashWithout(...names: readonly string[]): string;
}

/** A text is not as nodes write it: `openWhole` has to judge. */
export class Unusual extends Error {
  override readonly name = "Unusual";
}

const objects = listOf(anObject, 1);

/** Reads everything at once, however it is written. @throws as `readExactJson`; Mismatch */
export function openWhole(text: string, bytes?: Uint8Array): Source {
  const { value, isCanonical, members } = readCanonically(text);
  const top = anObject(value);
  const [chain, commits] = [membersOf(top, "chain"), membersOf(top, "commits")];
  if (chain.length !== commits.length) throw new Mismatch("has a chain and commits of different length");
  return {
    top,
    steps: chain.length,
    isWhole: true,
    step(at, forms) {
      const [passport, commit] = [chain[at]!, commits[at]!];
      const step = readStep(commit, forms);
      if (!isSamePassport(passport, commit, forms)) throw new Mismatch("is not the same in chain");
      return step;
    },
    hashWithout(...names) {
      if (isCanonical) return sha256HexOf(bytesWithout(text, bytes ?? utf8(text), endsOf(members), names));
      return sha256Hex(canon1(new Map([...top].filter(([name]) => !names.includes(name)))));
    },
  };
}

function membersOf(top: ExactObject, name: string): readonly ExactObject[] {
  try {
    return objects(top.get(name));
  } catch (error) {
    if (error instanceof Mismatch) error.path = `.${name}${error.path}`;
    throw error;
  }
}

/** Levels of arrays and objects that are left inside a member, and inside an item of one. */
const [IN_MEMBER, IN_ITEM] = [255, 254];

/**
 * Opens a bundle as nodes write it, canonical to the last byte, without ever holding all of it as values: a large one
 * takes ten times its size. `undefined`, or Unusual later, for any other text.
 */
export function openCanonical(text: string, bytes?: Uint8Array): Source | undefined {
  const members = memberSpans(text);
  const [chain, commits] = [spansOf(text, members?.get("chain")), spansOf(text, members?.get("commits"))];
  if (!members || !chain || !commits || chain.length !== commits.length) return undefined;
  const names = [...members.keys()];
  if (names.some((name, at) => at > 0 && name <= (names[at - 1] ?? "")) || !names.every(isPlain))
    return undefined;
  const top = new Map<string, ExactJson>();
  for (const [name, { value, end }] of members) {
    const isSteps = name === "chain" || name === "commits";
    top.set(name, isSteps ? [] : canonicalValue(text.slice(value, end), IN_MEMBER).value);
  }
  let encoded = bytes;
  return {
    top,
    steps: chain.length,
    isWhole: false,
    step(at, forms) {
      const slice = sliceOf(text, commits[at]!);
      const { value, members: inside } = canonicalValue(slice, IN_ITEM);
      if (!isExactObject(value)) throw new Unusual();
      // What `commits` repeats of the passport stands there word for word.
      if (passportText(slice, inside, forms) !== sliceOf(text, chain[at]!)) throw new Unusual();
      return readStep(value, forms);
    },
    hashWithout(...left) {
      encoded ??= utf8(text);
      const ends = names.map((name) => ({ name, end: members.get(name)?.end ?? 0 }));
      return sha256HexOf(bytesWithout(text, encoded, ends, left));
    },
  };
}

const spansOf = (text: string, member: (Span & { value: number }) | undefined) =>
  member && itemSpans(text, { start: member.value, end: member.end });
const sliceOf = (text: string, { start, end }: Span) => text.slice(start, end);
const isPlain = (name: string) => /^[a-z_]*$/.test(name);

function canonicalValue(text: string, maxDepth: number) {
  const read = readCanonically(text, maxDepth);
  if (!read.isCanonical) throw new Unusual();
  return read;
}

/** A commit's text without its flat members. */
function passportText(text: string, members: readonly Member[], { flatNames }: StepForms): string {
  const kept: string[] = [];
  let start = 1;
  for (const { name, end } of endsOf(members)) {
    if (!flatNames.has(name)) kept.push(text.slice(start, end));
    start = end + 1;
  }
  return `{${kept.join(",")}}`;
}

/** A member of a canonical text, and where it ends. */
interface End {
  readonly name: string;
  readonly end: number;
}

/** Where members end, brackets and commas counted. */
function endsOf(members: readonly Member[]): readonly End[] {
  return members.map(([name, , end], at) => ({ name, end: 1 + end + at }));
}

const [OPEN, COMMA, CLOSE] = [utf8("{"), utf8(","), utf8("}")];

/** The canonical text of an object without some of its members, in pieces. */
function* bytesWithout(
  text: string,
  bytes: Uint8Array,
  members: readonly End[],
  names: readonly string[],
): Generator<Uint8Array> {
  // Counted from the end, as little follows the members that are left out.
  const byteAt = (at: number) => (at <= 1 ? at : bytes.length - utf8(text.slice(at)).length);
  yield OPEN;
  const kept = keptSpans(members, names);
  for (const [at, { start, end }] of kept.entries()) {
    if (at > 0) yield COMMA;
    yield bytes.subarray(byteAt(start), byteAt(end));
  }
  yield CLOSE;
}

/** Where the members stand that are kept; neighbours in one. */
function keptSpans(members: readonly End[], names: readonly string[]): readonly Span[] {
  const kept: { start: number; end: number }[] = [];
  // After the opening brace, and after each comma.
  let start = 1;
  for (const { name, end } of members) {
    const last = kept.at(-1);
    if (!names.includes(name)) {
      if (last && last.end + 1 === start) last.end = end;
      else kept.push({ start, end });
    }
    start = end + 1;
  }
  return kept;
}
