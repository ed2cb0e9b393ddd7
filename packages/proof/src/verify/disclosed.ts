import { type ExactJson, type ExactObject, isExactObject } from "@darkmatter/core";
import type { Bundle, Disclosure, Step } from "./bundle-form.ts";
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

/** A node's bundle by what was said, root first; empty for a ledger server's. */
export function saidIn({ node, steps }: Bundle): readonly Said[] {
  if (!node) return [];
  // Of two commits with one hash, which no valid chain has, the later counts.
  const places = new Map(steps.map(({ flat }, at) => [bareHash(flat.integrity_hash), at]));
  const disclosed = steps.map(() => new Map<string, ExactJson>());
  for (const { commit, name, value } of node.disclosures)
    disclosed[places.get(commit) ?? -1]?.set(name, value);
  return steps.map((step, at) => {
    const { payload } = step.passport;
    const commit = bareHash(step.flat.integrity_hash);
    return { at, step, commit, payload: payload && nodePayload(payload), disclosed: disclosed[at]! };
  });
}

/** A disclosure with the commit it is of. */
export interface Opened extends Disclosure {
  /** Where it stands in the list. */
  readonly order: number;
  /** `undefined` when no commit of the bundle has that hash. */
  readonly said: Said | undefined;
}

export function openedIn(bundle: Bundle, said: readonly Said[]): readonly Opened[] {
  const byCommit = new Map(said.map((one) => [one.commit, one]));
  return (bundle.node?.disclosures ?? []).map((disclosure, order) => ({
    ...disclosure,
    order,
    said: byCommit.get(disclosure.commit),
  }));
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
