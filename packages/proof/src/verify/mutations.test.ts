import { canon1OfJson } from "@darkmatter/core";
import { expect, test } from "vitest";
import { makeConversation } from "../testing/conversation.ts";
import { remembering, verifyInline } from "../testing/keys.ts";
import { type Mutation, mutationsOf } from "../testing/mutations.ts";
import { verifyBundle } from "./verify-bundle.ts";

async function subjects() {
  const conversation = makeConversation({ seed: 1, splits: true });
  const text = async (name: "ana" | "bo" | "cy") => canon1OfJson(await conversation.bundleOf(name));
  const other = canon1OfJson(await makeConversation({ seed: 2 }).bundleOf("ana"));
  const [ana, bo, cy] = await Promise.all([text("ana"), text("bo"), text("cy")]);
  const { keys } = conversation;
  return [
    { name: "ana", text: ana, key: keys.ana, others: [other, bo] },
    { name: "bo", text: bo, key: keys.bo, others: [other, ana] },
    { name: "cy", text: cy, key: keys.cy, others: [other, bo] },
  ];
}

test("every change of a bundle is caught, unless it says the same or nothing binds it", {
  timeout: 60_000,
}, async () => {
  const verify = remembering(verifyInline);
  const missed: string[] = [];
  let tried = 0;
  for (const subject of await subjects()) {
    const mutations = mutationsOf(subject);
    console.log(subject.name, subject.text.length, mutations.count);
    for (let index = 0; index < mutations.count; index += 29) {
      const mutation = mutations.at(index);
      if (!mutation) continue;
      tried++;
      const { verdict } = await verifyBundle(mutation.bytes, verify);
      if (!isAsExpected(mutation, verdict)) missed.push(`${mutation.name}: ${verdict}`);
    }
  }

  console.log(tried);
  expect(missed).toEqual([]);
  expect(tried).toBeGreaterThan(3000);
});

function isAsExpected({ expected }: Mutation, verdict: string): boolean {
  return expected === "free" || (verdict === "failed") === (expected === "caught");
}
