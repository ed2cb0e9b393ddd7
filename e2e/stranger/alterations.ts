import type { Json, JsonObject } from "@darkmatter/core";

/** One character of a bundle, and the phases that then fail. */
interface Alteration {
  readonly name: string;
  /** To a text, whose last letter or digit is altered. `steps` stands for `chain` and `commits`, which say the same. */
  readonly path: readonly (string | number)[];
  readonly phases: readonly string[];
}

const at = (name: string, path: string, ...phases: readonly string[]): Alteration => ({
  name,
  path: path.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step)),
  phases: phases.includes("format") ? phases : ["export_hash", "export_signature", ...phases],
});

export const ALTERATIONS: readonly Alteration[] = [
  at("a step that stands twice", "chain.1.created_at", "format"),
  at("a commitment", "steps.0.payload.fields.content", "payloads", "disclosures"),
  at("a link of the chain", "steps.1.integrity.parent_hash", "chain"),
  at("a link of the commits", "commits.1.parent_integrity_hash", "envelopes"),
  at("an agent's signature", "commits.1.agent_signature", "agent_signatures"),
  at("a leaf", "commits.1._proof.leaf_hash", "leaves", "inclusion"),
  at("a proof", "commits.1._proof.checkpoint_inclusion.proof.0.hash", "inclusion"),
  at("the log's signature", "checkpoint.server_sig", "checkpoint"),
  at("a witness's signature", "checkpoint.witness_signatures.0.witness_sig", "witnesses"),
  at("an earlier checkpoint", "consistency.0.checkpoint.log_root", "consistency"),
  at("what was said", "disclosures.0.value", "disclosures", "receipts"),
  at("what was witnessed", "witnessed.0.witness_sig", "witnessed"),
];

const LAST_LETTER = /[0-9A-Za-z](?=[^0-9A-Za-z]*$)/;

export function altered(bundle: JsonObject, { path }: Alteration): JsonObject {
  const copy = structuredClone(bundle);
  const [first, ...rest] = path;
  for (const start of first === "steps" ? ["chain", "commits"] : [first]) {
    alter(copy, [start as string | number, ...rest]);
  }
  return copy;
}

function alter(value: Json, [step, ...rest]: readonly (string | number)[]): void {
  const members = value as Record<string | number, Json>;
  if (step === undefined) throw new RangeError("a path to no text");
  const text = members[step];
  if (rest.length > 0) alter(text ?? null, rest);
  else if (typeof text !== "string") throw new RangeError(`no text at ${step}`);
  else members[step] = text.replace(LAST_LETTER, (letter) => (letter === "1" ? "2" : "1"));
}
