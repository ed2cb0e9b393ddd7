import type { ExactJson } from "@darkmatter/core";
import type { Bundle, NodeMembers } from "../bundle-form.ts";
import { type Said, saidIn } from "../disclosed.ts";
import type { NodePayload } from "../step-form.ts";

/** A verified bundle of a node. */
export interface Side {
  readonly file: string;
  readonly agentId: string;
  readonly bundle: Bundle & { readonly node: NodeMembers };
}

/** One commit of one agent, from whichever files hold it. */
export interface Entry {
  readonly side: Side;
  readonly said: Said & { readonly payload: NodePayload };
  readonly position: number;
  /** From all files that hold the commit. */
  readonly disclosed: Map<string, ExactJson>;
}

/** Commits of several bundles by who wrote them. */
export interface Entries {
  /** By position in the log. */
  readonly logs: ReadonlyMap<string, readonly Entry[]>;
  readonly all: readonly Entry[];
  of(agentId: string, commit: string): Entry | undefined;
  /** Another agent's commit of that hash. */
  byHash(commit: string): Entry | undefined;
}

export function sideOf(file: string, bundle: Bundle): Side | undefined {
  const { node } = bundle;
  return node ? { file, agentId: node.log.slice("mesh/".length), bundle: { ...bundle, node } } : undefined;
}

export function entriesOf(sides: readonly Side[]): Entries {
  const byHash = new Map<string, Entry>();
  for (const side of sides) {
    for (const said of saidIn(side.bundle)) {
      if (!said.payload) continue;
      const known = byHash.get(said.commit);
      if (known) for (const [name, value] of said.disclosed) known.disclosed.set(name, value);
      else {
        const position = said.step.flat._proof.log_position;
        const entry = {
          side,
          said: { ...said, payload: said.payload },
          position,
          disclosed: new Map(said.disclosed),
        };
        byHash.set(said.commit, entry);
      }
    }
  }
  const all = [...byHash.values()].sort((one, other) => one.position - other.position);
  return {
    all,
    logs: Map.groupBy(all, ({ side }) => side.agentId),
    byHash: (commit) => byHash.get(commit),
    of(agentId, commit) {
      const entry = byHash.get(commit);
      return entry?.side.agentId === agentId ? entry : undefined;
    },
  };
}
