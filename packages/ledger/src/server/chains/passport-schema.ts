import { z } from "zod";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const prefixedHash = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const commitId = z.string().regex(/^ctx_\d+_(?:[0-9a-f]{8}|[0-9a-f]{12})$/);
const seconds = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
const milliseconds = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
const payload = z.record(z.string(), z.unknown()).nullable();

/** A Context Passport 1.0: what every commit is, in every answer (ledger.md 1.2). */
export const ContextPassport = z.looseObject({
  $schema: z.string(),
  schema_version: z.literal("1.0"),
  id: commitId,
  parent_id: commitId.nullable(),
  trace_id: z.string().max(200).nullable(),
  branch_key: z.string(),
  created_by: z.looseObject({
    agent_id: z.string(),
    agent_name: z.string(),
    role: z.string().nullable(),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    did: z.string().optional(),
  }),
  event: z.looseObject({
    type: z.string(),
    label: z.string().optional(),
    to_agent_id: z.string().nullable(),
    to_agent_name: z.string().nullable(),
    timestamp: seconds,
  }),
  payload: payload.describe("as committed; null when encrypted or pruned"),
  payload_pruned_at: milliseconds.optional(),
  integrity: z.looseObject({
    payload_hash: prefixedHash,
    integrity_hash: prefixedHash.describe("scheme 1"),
    parent_hash: prefixedHash.nullable(),
    verification_status: z.enum(["valid", "broken", "unverified"]),
    verification_reason: z.string().nullable(),
    verified_at: z.string().nullable(),
  }),
  lineage: z.looseObject({
    fork_of: commitId.nullable(),
    fork_point: commitId.nullable(),
    lineage_root: commitId.nullable(),
  }),
  created_at: milliseconds,
  assurance_level: z.enum(["L1", "L2", "L3"]),
  assurance: z
    .looseObject({
      chain: z.boolean(),
      checkpointed: z.boolean(),
      witnessed: z.boolean(),
      client_signed: z.boolean(),
    })
    .optional(),
  completeness_claim: z.boolean().nullable(),
  integrity_v2: z.looseObject({
    payload_hash: prefixedHash,
    integrity_hash: prefixedHash.describe("scheme 2"),
    parent_integrity_hash: z.union([hash, z.literal("root")]),
    key_id: z.string(),
    envelope: z.looseObject({
      schema_version: z.literal("2"),
      agent_id: z.string(),
      key_id: z.string(),
      timestamp: seconds,
      payload_hash: hash,
      parent_integrity_hash: z.union([hash, z.literal("root")]),
    }),
    client_match: z.boolean().nullable(),
    signature_status: z.string(),
  }),
});

/** The public JSON Schema, as the passports of a server at this URL name it. */
export function passportSchemaText(url: string): string {
  return JSON.stringify({
    ...z.toJSONSchema(ContextPassport),
    $id: url,
    title: "Context Passport 1.0",
  });
}
