import type { Bundle } from "./bundle-form.ts";
import type { PhaseReport } from "./report.ts";

/** What no file can prove (docs/proof.md). */
export const NO_FILE_PROVES: readonly string[] = [
  "that a clock was right: each time is the word of whoever wrote it",
  "that a person stands behind a key",
  "that nothing else was said",
  "that two witnesses are two parties",
];

/** A member that no other evidence binds: only the exporter's signature vouches for it. */
export interface Unbound {
  /** `*` stands for any index or name: `chain.*.created_at`. */
  readonly path: string;
  /** Whether its value may change, or whether it may be left out or repeated. */
  readonly freedom: "value" | "presence";
}

const value = (...paths: readonly string[]): Unbound[] => paths.map((path) => ({ path, freedom: "value" }));
const presence = (...paths: readonly string[]): Unbound[] =>
  paths.map((path) => ({ path, freedom: "presence" }));

/**
 * What the exporter could have written otherwise without any other check failing. Short on purpose: descriptive texts,
 * and what an owner may choose to show.
 */
export const UNBOUND: readonly Unbound[] = [
  ...value("_spec.spec_url", "_spec.verifier_url", "_spec.verify_command", "_spec.phases", "_spec.phases.*"),
  ...value("metadata.export_id", "metadata.exported_at"),
  ...value("chain.*.$schema", "chain.*.created_at"),
  ...value(
    "chain.*.created_by.agent_name",
    "chain.*.created_by.role",
    "chain.*.created_by.provider",
    "chain.*.created_by.model",
  ),
  ...presence("disclosures.*", "consistency.*", "witnessed.*", "evidence.*"),
];

/** What a report says that it does not prove. */
export function notProvenBy(bundle: Bundle, phases: readonly PhaseReport[]): readonly string[] {
  const unchecked = phases
    .filter(({ status }) => status === "not checked")
    .map(({ phase, detail }) => `${phase}: not checked, ${detail}`);
  const exporter = bundle.node ? "the exporter's signature" : "nobody";
  return [
    ...unchecked,
    `names, roles, models, addresses and the time of the export: ${exporter} alone vouches for them`,
    "that the exporter shows all it could: fields may stay closed, and checkpoints, witnessed logs and evidence be left out",
    ...NO_FILE_PROVES,
  ];
}
