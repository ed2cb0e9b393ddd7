import {
  canonicalJson,
  type ExactJson,
  type ExactObject,
  isExactObject,
  type Json,
  sha256Hex,
  writeExactJson,
} from "@darkmatter/core";
import type { Bundle, NodeMembers, Step } from "./bundle-form.ts";
import { bareHash } from "./chain-phases.ts";
import { Mismatch } from "./reader.ts";
import { type NodePayload, nodePayload } from "./step-form.ts";

/** A commit of a node with what its owner discloses of it. */
export interface Said {
  readonly at: number;
  readonly step: Step;
  /** Bare scheme 2. */
  readonly commit: string;
  /** `null` when it was pruned. */
  readonly payload: NodePayload | null;
  /** As disclosed; whether each opens a commitment is for the phase `disclosures` to say. */
  readonly disclosed: ReadonlyMap<string, ExactJson>;
}

/**
 * What was said in a step, by what is disclosed of it; `undefined` for the bundle of a ledger server. `isShown` tells
 * whether the disclosures of a commit belong to that step.
 */
export function createSaying(
  node: NodeMembers | null,
  isShown: (commit: string, at: number) => boolean = () => true,
): (step: Step, at: number) => Said | undefined {
  const byCommit = new Map<string, Map<string, ExactJson>>();
  for (const { commit, name, value } of node?.disclosures ?? []) {
    const fields = byCommit.get(commit) ?? new Map<string, ExactJson>();
    byCommit.set(commit, fields.set(name, value));
  }
  const nothing: ReadonlyMap<string, ExactJson> = new Map();
  return (step, at) => {
    if (!node) return undefined;
    const { payload } = step.passport;
    const commit = bareHash(step.flat.integrity_hash);
    const disclosed = isShown(commit, at) ? (byCommit.get(commit) ?? nothing) : nothing;
    return { at, step, commit, payload: payload && nodePayload(payload), disclosed };
  };
}

/** Where each commit stands, by its hash: of two with one hash, which no valid chain has, the later counts. */
export function placesOf(steps: readonly Step[]): ReadonlyMap<string, number> {
  return new Map(steps.map(({ flat }, at) => [bareHash(flat.integrity_hash), at]));
}

/** A node's bundle by what was said, root first; empty for a ledger server's. */
export function saidIn({ node, steps }: Bundle): readonly Said[] {
  const places = placesOf(steps);
  const say = createSaying(node, (commit, at) => places.get(commit) === at);
  return steps.map(say).filter((said) => said !== undefined);
}

export function isObject(value: ExactJson | undefined): value is ExactObject {
  return value !== undefined && isExactObject(value);
}

/** A value in its form, or the reason why not. */
export function inForm<T>(read: (value: ExactJson) => T, value: ExactJson): T | string {
  try {
    return read(value);
  } catch (error) {
    if (error instanceof Mismatch) return `${error.path.slice(1) || "it"} ${error.reason}`;
    throw error;
  }
}

/** RFC 8785 of a value, for which numbers are doubles. */
export function jcsText(value: ExactJson): string | undefined {
  const json = JSON.parse(writeExactJson(value)) as Json;
  return isAllFinite(json) ? canonicalJson(json) : undefined;
}

/** H(RFC 8785 of a value). */
export function jcsHash(value: ExactJson): string | undefined {
  const text = jcsText(value);
  return text === undefined ? undefined : sha256Hex(text);
}

/** An integer may be too large for a double, of which RFC 8785 says nothing. */
function isAllFinite(value: Json): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isAllFinite);
}
