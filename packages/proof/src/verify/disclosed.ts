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
  readonly payload: NodePayload;
  /** As disclosed; whether each opens a commitment is for the phase `disclosures` to say. */
  readonly disclosed: ReadonlyMap<string, ExactJson>;
}

/** A node's bundle by what was said, root first; empty for a ledger server's. */
export function saidIn({ node, steps }: Bundle): readonly Said[] {
  if (!node) return [];
  const byCommit = Map.groupBy(node.disclosures, ({ commit }) => commit);
  return steps.map((step, at) => {
    const commit = bareHash(step.flat.integrity_hash);
    const disclosed = new Map(byCommit.get(commit)?.map(({ name, value }) => [name, value]));
    return { at, step, commit, payload: nodePayload(step.passport.payload ?? undefined), disclosed };
  });
}

/** A disclosed value with the commit it belongs to. */
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
