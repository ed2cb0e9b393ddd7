import { canon1OfJson, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { expect, test } from "vitest";
import { prefixed } from "../chain.ts";
import { verifyBundle } from "../verify/verify-bundle.ts";
import {
  type AgentName,
  type Conversation,
  type ConversationOptions,
  makeConversation,
} from "./conversation.ts";
import { sealed } from "./export-bundle.ts";
import { verifyInline } from "./keys.ts";

/** What a dishonest exporter does to its own bundle before it seals it anew. */
export type Forge = (bundle: JsonObject, talk: Conversation) => unknown;

/** The members only a node's bundle has. */
const OF_NODE = ["log", "consistency", "disclosures", "witnessed", "evidence", "export_sig"];

/** Makes it the bundle of a ledger server. */
export function asServer(bundle: JsonObject): void {
  for (const name of OF_NODE) delete bundle[name];
}

/** The failing phases of a bundle that its exporter forged, each with its detail. */
export async function failuresOf(
  forge: Forge,
  options: Partial<ConversationOptions> = {},
  exporter: AgentName = "ana",
): Promise<Record<string, string>> {
  const talk = makeConversation({ seed: 1, ...options });
  const bundle = structuredClone(await talk.bundleOf(exporter));
  await forge(bundle, talk);
  const isNode = OF_NODE.some((name) => name in bundle);
  return failuresIn(isNode ? sealed(bundle, talk.keys[exporter]) : withHash(bundle));
}

export async function failuresIn(bundle: JsonObject): Promise<Record<string, string>> {
  const { phases } = await verifyBundle(canon1OfJson(bundle), verifyInline);
  const failed = phases.filter(({ status }) => status === "fail");
  return Object.fromEntries(failed.map(({ phase, detail }) => [phase, detail]));
}

function withHash({ export_hash: _, ...rest }: JsonObject): JsonObject {
  return { ...rest, export_hash: prefixed(sha256Hex(canon1OfJson(rest))) };
}

/** Writes a value at a place: `checkpoint.witness_signatures.0.witness_sig`. `undefined` removes the member. */
export function put(bundle: JsonObject, place: string, value: Json | undefined): void {
  const steps = place.split(".");
  const last = steps.pop() ?? "";
  const holder = steps.length === 0 ? bundle : (at(bundle, steps.join(".")) as JsonObject);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
}

/** The value at a place. */
export function at(bundle: JsonObject, place: string): Json {
  const value = place
    .split(".")
    .reduce<Json | undefined>((inside, step) => (inside as JsonObject | undefined)?.[step], bundle);
  if (value === undefined) throw new RangeError(`nothing at ${place}`);
  return value;
}

/** Writes a value into a passport, which stands in `chain` and in `commits`. */
export function putInPassport(
  bundle: JsonObject,
  step: number,
  place: string,
  value: Json | undefined,
): void {
  for (const list of ["chain", "commits"]) put(bundle, `${list}.${step}.${place}`, value);
}

/** A rule, what a bundle that breaks it fails (nothing, where it is allowed), and how to make one. */
export type Rule = readonly [
  title: string,
  failures: Record<string, string>,
  forge: Forge,
  options?: Partial<ConversationOptions>,
];

/** One test for each rule: exactly these phases fail, for exactly this reason. */
export function testRules(rules: readonly Rule[], exporter: AgentName = "ana"): void {
  test.for(rules)("%s", async ([_, failures, forge, options]) => {
    expect(await failuresOf(forge, options, exporter)).toEqual(failures);
  });
}
