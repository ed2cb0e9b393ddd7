import type { Bundle } from "./bundle-form.ts";
import type { PhaseReport } from "./report.ts";

/** What no file can prove (docs/proof.md). */
export const NO_FILE_PROVES: readonly string[] = [
  "that a clock was right: each time is the word of whoever wrote it",
  "that a person stands behind a key",
  "that nothing else was said",
  "that two witnesses are two parties",
];

/**
 * What an exporter is free to change of its own bundle without failing a check. `value`: to write something else of the
 * same form. `presence`: to leave it out or to repeat it. `order`: to list it elsewhere. `members`: to add others to it.
 */
export type Freedom = "value" | "presence" | "order" | "members";

/** A place that no other evidence binds: only the exporter's signature vouches for it. */
export interface Unbound {
  /** `*` stands for any index: `chain.*.created_at`. */
  readonly path: string;
  readonly freedom: Freedom;
}

const unbound = (freedom: Freedom, ...paths: readonly string[]): Unbound[] =>
  paths.map((path) => ({ path, freedom }));
const under = (path: string, ...names: readonly string[]) => names.map((name) => `${path}.${name}`);

/**
 * All that is unbound, short on purpose: descriptive texts, and what an owner chooses to show. Tests hold both ways:
 * each entry passes when its exporter changes it and signs anew, and nothing else does.
 */
export const UNBOUND: readonly Unbound[] = [
  ...unbound("value", ...under("_spec", "spec_url", "verifier_url", "verify_command", "phases", "phases.*")),
  ...unbound("value", ...under("metadata", "export_id", "exported_at")),
  ...unbound("value", ...under("chain.*", "$schema", "created_at", "assurance_level")),
  ...unbound("value", ...under("chain.*.created_by", "agent_name", "role", "provider", "model")),
  ...unbound("value", ...under("chain.*.event", "label", "to_agent_id", "to_agent_name", "timestamp")),
  ...unbound(
    "value",
    ...under("chain.*.integrity", "verification_status", "verification_reason", "verified_at"),
  ),
  ...unbound("value", ...under("chain.*.lineage", "fork_of", "fork_point")),
  ...unbound("value", "chain.*.integrity_v2.signature_status"),
  ...unbound("value", ...under("commits.*._proof", "client_timestamp", "proof_status")),
  ...unbound("value", ...under("checkpoint.witness_signatures.*", "witness_name", "witnessed_at")),
  ...unbound("value", ...under("consistency.*.witness_signatures.*", "witness_name", "witnessed_at")),
  ...unbound("value", "witnessed.*.witnessed_at", "evidence"),
  ...unbound("presence", "_spec.phases.*", "disclosures.*", "consistency.*", "witnessed.*", "evidence.*"),
  ...unbound("presence", "consistency.*.witness_signatures.*", "chain.*.event.label"),
  ...unbound("presence", "commits.*._proof.checkpoint_inclusion"),
  ...unbound("order", "_spec.phases.*", "witnessed.*", "evidence.*"),
  ...unbound("order", "checkpoint.witness_signatures.*", "consistency.*.witness_signatures.*"),
  ...unbound("members", "_spec", "metadata", "chain.*"),
  ...unbound("members", ...under("chain.*", "created_by", "event", "integrity", "lineage", "integrity_v2")),
];

/** What is bound by nothing but the word of a ledger server; in a node's bundle it is fixed, or its exporter's key signs it. */
const UNBOUND_OF_SERVER: readonly Unbound[] = [
  ...unbound("value", ...under("metadata", "trace_id", "exported_by")),
  ...unbound(
    "value",
    ...under("chain.*", "trace_id", "branch_key", "event.type", "integrity_v2.client_match"),
  ),
  ...unbound("value", ...under("commits.*", "client_envelope", "metadata where it is not attested")),
  ...unbound("value", ...under("commits.*._proof", "pubkey_url", "checkpoint_url", "verify_url")),
  ...unbound("value", ...under("server_pubkey", "use", "pubkey_url")),
];

/** What a report says that it does not prove. */
export function notProvenBy({ node }: Bundle, phases: readonly PhaseReport[]): readonly string[] {
  const unchecked = phases
    .filter(({ status }) => status === "not checked")
    .map(({ phase, detail }) => `${phase}: not checked, ${detail}`);
  return [
    ...unchecked,
    ...(node
      ? unboundSentences(UNBOUND, "only its exporter vouches")
      : unboundSentences([...UNBOUND, ...UNBOUND_OF_SERVER], "nobody vouches")),
    ...NO_FILE_PROVES,
  ];
}

/** What is unbound, in words. */
function unboundSentences(all: readonly Unbound[], vouches: string): readonly string[] {
  const pathsOf = (freedom: Freedom) =>
    all.filter((one) => one.freedom === freedom).map(({ path }) => path.split("."));
  const sections = Map.groupBy(pathsOf("value"), ([top = ""]) => top);
  const lists = pathsOf("presence").filter((path) => path.at(-1) === "*");
  const open = pathsOf("members").map(([top]) => top);
  return [
    ...[...sections].map(([top, paths]) => {
      const names = paths.map((path) => path.slice(1).filter((step) => step !== "*"));
      return `${vouches} for ${top}: ${[...new Set(names.map((name) => name.join(".") || "what is in it"))].join(", ")}`;
    }),
    `${vouches} that nothing was left out of ${[...new Set(lists.map(([top]) => top))].join(", ")}`,
    `${vouches} for members of ${[...new Set(open)].join(", ")} that docs/proof.md does not name`,
  ];
}
