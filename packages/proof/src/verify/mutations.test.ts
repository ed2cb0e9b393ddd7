import {
  canon1OfJson,
  type ExactJson,
  type ExactObject,
  readExactObject,
  writeExactJson,
} from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { makeConversation } from "../testing/conversation.ts";
import { type Edit, edited, isObject, type Path, pathsOf } from "../testing/edits.ts";
import { remembering, type TestKey, verifyInline } from "../testing/keys.ts";
import { type Mutation, mutationsOf, resealed } from "../testing/mutations.ts";
import { UNBOUND, type Unbound } from "./not-proven.ts";
import { verifyBundle } from "./verify-bundle.ts";

/** A prime, so that every kind of change is among those tried. The whole run is `npm run e2e -- mutations`. */
const TRIED_EVERY = 67;

const verify = remembering(verifyInline);
const isAsExpected = ({ expected }: Mutation, verdict: string) =>
  expected === "free" || (verdict === "failed") === (expected === "caught");

test("a change is caught, unless it says the same or nothing binds it", { timeout: 60_000 }, async () => {
  const talk = makeConversation({ seed: 1, splits: true });
  const [bo, cy] = await Promise.all([talk.bundleOf("bo"), talk.bundleOf("cy")]).then((all) =>
    all.map(canon1OfJson),
  );
  const other = canon1OfJson(await makeConversation({ seed: 2 }).bundleOf("bo"));
  const wrong: string[] = [];
  const tried = { caught: 0, same: 0, free: 0 };
  for (const subject of [
    { name: "bo", text: bo!, key: talk.keys.bo, others: [other, cy!] },
    { name: "cy", text: cy!, key: talk.keys.cy, others: [other, bo!] },
  ]) {
    const mutations = mutationsOf(subject);
    for (let index = 0; index < mutations.count; index += TRIED_EVERY) {
      const mutation = mutations.at(index);
      if (!mutation) continue;
      const { verdict } = await verifyBundle(mutation.bytes, verify);
      tried[mutation.expected]++;
      if (!isAsExpected(mutation, verdict)) wrong.push(`${mutation.name}: ${verdict}`);
    }
  }

  expect(wrong).toEqual([]);
  expect(Math.min(tried.caught / 10, tried.same, tried.free)).toBeGreaterThan(10);
});

test("a file is judged alike however it is read: step by step, or as a whole", {
  timeout: 60_000,
}, async () => {
  const talk = makeConversation({ seed: 1 });
  const text = canon1OfJson(await talk.bundleOf("cy"));
  const others = [canon1OfJson(await talk.bundleOf("bo"))];
  const mutations = mutationsOf({ name: "cy", text, key: talk.keys.cy, others });
  const judged = async (bytes: Uint8Array) => {
    const { phases } = await verifyBundle(bytes, verify);
    return phases.map(({ phase, status, checked, failing }) => ({ phase, status, checked, failing }));
  };
  for (let index = 0; index < mutations.count; index += TRIED_EVERY + 4) {
    const mutation = mutations.at(index);
    if (!mutation) continue;
    // White space before it, and it is no longer as nodes write it.
    const spaced = new Uint8Array([0x20, ...mutation.bytes]);
    expect([mutation.name, await judged(spaced)]).toEqual([mutation.name, await judged(mutation.bytes)]);
  }
});

test("of two commits with one hash the disclosures belong to the later, however the file is read", async () => {
  const bundle = structuredClone(await makeConversation({ seed: 1 }).bundleOf("ana"));
  const commits = bundle.commits as { integrity_hash: string }[];
  // The second takes a receipt, the last but one the signed answer, which then is nobody's.
  commits.at(-2)!.integrity_hash = commits[1]!.integrity_hash;
  const text = canon1OfJson(bundle);
  const [own, spaced] = await Promise.all([verifyBundle(text, verify), verifyBundle(` ${text}`, verify)]);

  expect(spaced.phases).toEqual(own.phases);
  expect(own.phases.find(({ phase }) => phase === "message_signatures")).toMatchObject({
    status: "not checked",
  });
});

describe("nothing but the exporter's signature binds", () => {
  test.each(UNBOUND)("$path ($freedom)", async ({ path, freedom }) => {
    const { bundle, key } = await bundleWith(path);
    const place = [...pathsOf(bundle)].find((one) => matches(one, path));
    const changed = place && (await exercised(bundle, place, freedom));
    if (!changed) throw new Error("no place to try it at");

    expect(writeExactJson(changed)).not.toBe(writeExactJson(bundle));
    const report = await verifyBundle(writeExactJson(resealed(changed, key)), verify);
    expect(report.phases.filter(({ status }) => status === "fail")).toEqual([]);
    const raw = await verifyBundle(writeExactJson(changed), verify);
    expect(raw.verdict).toBe("failed");
  });
});

/** A bundle in which that place is there, twice where it is an item. */
async function bundleWith(path: string): Promise<{ bundle: ExactObject; key: TestKey }> {
  const talk = makeConversation({ seed: 1, splits: true, covered: !path.endsWith("checkpoint_inclusion") });
  const bundle = structuredClone(await talk.bundleOf("ana"));
  const [accusation] = bundle.evidence as { agent_id: string; first: object; second: object }[];
  const { first, second } = structuredClone(accusation)!;
  bundle.evidence = [accusation, { agent_id: accusation!.agent_id, first: second, second: first }] as never;
  return { bundle: resealed(readExactObject(canon1OfJson(bundle)), talk.keys.ana), key: talk.keys.ana };
}

const matches = (path: Path, pattern: string) =>
  path.map((step) => (typeof step === "number" ? "*" : step)).join(".") === pattern;

/** The bundle with that freedom used; in `commits` too, which repeat `chain`. */
async function exercised(bundle: ExactObject, path: Path, freedom: Unbound["freedom"]) {
  const [last, parent] = [path.at(-1), path.slice(0, -1)];
  const change: Record<Unbound["freedom"], () => ExactObject | undefined> = {
    value: () => mirrored(bundle, path, otherValue),
    members: () =>
      mirrored(bundle, path, (value) => (isObject(value) ? new Map(value).set("more", null) : undefined)),
    presence: () => mirrored(bundle, parent, (value) => without(value, last)),
    order: () => mirrored(bundle, parent, (value) => (Array.isArray(value) ? value.toReversed() : undefined)),
  };
  return change[freedom]();
}

function mirrored(bundle: ExactObject, path: Path, edit: Edit): ExactObject | undefined {
  const changed = edited(bundle, path, edit);
  const again =
    changed && path[0] === "chain" ? edited(changed, ["commits", ...path.slice(1)], edit) : changed;
  return isObject(again) ? again : undefined;
}

/** Another value of the same form. */
function otherValue(value: ExactJson): ExactJson | undefined {
  if (value === "L2") return "L1";
  if (Array.isArray(value)) return [];
  if (typeof value !== "string") return value === null ? "other" : undefined;
  // Times and ids stay such.
  return /[0-9]/.test(value)
    ? value.replace(/[0-9](?=[^0-9]*$)/, (digit) => String((Number(digit) + 1) % 10))
    : `${value}x`;
}

function without(value: ExactJson, last: string | number | undefined): ExactJson | undefined {
  if (Array.isArray(value)) return value.toSpliced(Number(last), 1);
  return isObject(value) ? new Map([...value].filter(([name]) => name !== last)) : undefined;
}
