import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { canon1OfJson } from "@darkmatter/core";
import { verifyBundle } from "@darkmatter/proof";
import {
  type Mutation,
  type Mutations,
  makeConversation,
  mutationsOf,
  remembering,
  verifyInline,
} from "@darkmatter/proof/testing";
import type { Checks } from "../checks.ts";
import { hostileFiles } from "./hostile-files.ts";
import { type Opinion, type PythonVerifier, pythonMissing, startPythonVerifier } from "./python-verifier.ts";

export const MUTATIONS = { whole: 100_000, short: 2000 };
/** Enough for both verifiers to work at once. */
const ASKED_AT_ONCE = 64;
const SHOWN_MAX = 20;
const TOLD_EVERY = 10_000;
const DEADLINE_MS = 6_000_000;
const HOSTILE_DEADLINE_MS = 300_000;

/** Bundles altered in every way, put to both verifiers: each change is caught, and they agree on what is wrong. */
export async function runMutations(checks: Checks, { count }: { readonly count: number }): Promise<void> {
  const missing = pythonMissing();
  if (missing !== undefined) checks.skip("mutations: agreement with the verifier in Python", missing);
  await using python = missing === undefined ? startPythonVerifier() : undefined;
  const subjects = await makeSubjects();
  const verify = remembering(verifyInline);
  const own = async (bytes: Uint8Array): Promise<Opinion> => {
    const { verdict, phases } = await verifyBundle(bytes, verify);
    const failing = phases.filter(({ status }) => status === "fail").map(({ phase }) => phase);
    return { verdict, failing: failing.sort() };
  };
  const both = { own, python };

  for (const { name, text } of subjects) {
    await checks.check(`mutations: ${name} as exported is verified by both`, async () => {
      const { verdict, disagreement } = await judge(both, new TextEncoder().encode(text));
      assert.deepEqual({ verdict, disagreement }, { verdict: "verified", disagreement: undefined });
    });
  }
  const all: Mutations[] = [];
  for (const subject of subjects) {
    await turn();
    all.push(mutationsOf(subject));
  }
  const chosen = chosenFrom(all, count);
  await checks.check(`mutations: ${count} changes`, () => judgeAll(checks, both, chosen, count), DEADLINE_MS);
  const short = count < MUTATIONS.whole;
  // Of a bundle in ASCII: one character beyond takes four times the memory in Python.
  const closed = await makeConversation({ seed: 5, discloses: () => false }).bundleOf("cy");
  for (const { name, bytes } of hostileFiles(canon1OfJson(closed), { short })) {
    await checks.check(
      `mutations: ${name}`,
      async () => assert.equal((await judge(both, bytes())).disagreement, undefined),
      HOSTILE_DEADLINE_MS,
    );
  }
}

async function makeSubjects() {
  const talks = [
    makeConversation({ seed: 1, splits: true }),
    makeConversation({ seed: 2, scheme: "signature_hex", answers: 2 }),
    makeConversation({
      seed: 3,
      witnessed: false,
      discloses: (_, name) => name === "signed" || name === "receipt",
    }),
    makeConversation({ seed: 4, covered: false, discloses: (_, name) => name !== "content" }),
  ];
  const exported = await Promise.all(
    talks.flatMap((talk, at) =>
      (["ana", "bo", "cy"] as const).map(async (name) => {
        const text = canon1OfJson(await talk.bundleOf(name));
        return { name: `${name} ${at + 1}`, text, key: talk.keys[name] };
      }),
    ),
  );
  // Pieces come from another agent's side of the same conversation, and from another conversation.
  return exported.map((one, at) => {
    const others = [exported[(at + 1) % exported.length], exported[(at + 3) % exported.length]];
    return { ...one, others: others.map((other) => other?.text ?? "") };
  });
}

/** As many of each bundle, evenly over all its mutations. */
function* chosenFrom(all: readonly Mutations[], count: number): Generator<Mutation> {
  for (const [at, mutations] of all.entries()) {
    // What does not divide evenly falls to the first.
    let left = Math.floor(count / all.length) + (at < count % all.length ? 1 : 0);
    const step = coprimeStep(mutations.count);
    for (let turn = 0; left > 0 && turn < mutations.count; turn++) {
      // A step that shares no factor with the number visits everything once, from everywhere at once.
      const mutation = mutations.at((turn * step) % mutations.count);
      if (!mutation) continue;
      left--;
      yield mutation;
    }
  }
}

function coprimeStep(total: number): number {
  const divisor = (one: number, other: number): number => (other === 0 ? one : divisor(other, one % other));
  let step = Math.floor(total * 0.618);
  while (divisor(step, total) !== 1) step++;
  return step;
}

interface Both {
  readonly own: (bytes: Uint8Array) => Promise<Opinion>;
  readonly python: PythonVerifier | undefined;
}

async function judge({ own, python }: Both, bytes: Uint8Array) {
  const asked = python?.ask(bytes);
  // Awaited below, and not to be heard of before that.
  asked?.catch(() => undefined);
  const ours = await own(bytes);
  const theirs = await asked;
  const isAgreed = !theirs || JSON.stringify(ours) === JSON.stringify(theirs);
  const disagreement = isAgreed ? undefined : `ours ${said(ours)}, Python's ${said(theirs)}`;
  return { verdict: ours.verdict, disagreement };
}

const said = ({ verdict, failing }: Opinion) => `${verdict} [${failing.join(" ")}]`;

async function judgeAll(
  checks: Checks,
  both: Both,
  mutations: Iterable<Mutation>,
  count: number,
): Promise<void> {
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  const inFlight = new Set<Promise<void>>();

  const one = async ({ name, form, expected, bytes }: Mutation) => {
    const { verdict, disagreement } = await judge(both, bytes);
    const key = `${form}_${expected}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const isRight = expected === "free" || (verdict === "failed") === (expected === "caught");
    if (!isRight) wrong.push(`${name}: ${verdict}, and should be ${expected}`);
    if (disagreement !== undefined) wrong.push(`${name}: ${disagreement}`);
  };
  let tried = 0;
  for (const mutation of mutations) {
    // Each computes for milliseconds: others of this process in between.
    await turn();
    if (++tried % TOLD_EVERY === 0) checks.figure("mutations.tried", tried, "bundles");
    const done = one(mutation).finally(() => inFlight.delete(done));
    inFlight.add(done);
    if (inFlight.size >= ASKED_AT_ONCE) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  assert.equal(tried, count, "there are fewer changes than asked for");
  for (const [key, number] of [...counts].sort()) checks.figure(`mutations.${key}`, number, "bundles");
  checks.figure("mutations.wrong", wrong.length, "bundles");
  assert.equal(wrong.length, 0, wrong.slice(0, SHOWN_MAX).join("\n"));
}
