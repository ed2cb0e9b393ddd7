import { isJsonObject } from "@darkmatter/core";
import { z } from "zod";

/**
 * What commands read of a ledger server's answers (ledger.md 3). Anything else an answer holds is kept, and shown under
 * `--json`.
 */
const text = z.string();
const maybe = z.string().nullish();
/** What a server leaves out, or says nothing in, of a row that it can no longer read. */
const textOr = (otherwise: string) => maybe.transform((said) => said ?? otherwise);
const UNREADABLE_EVENT = "unreadable";

/** A Context Passport (ledger.md 1.2). */
const WholePassport = z.looseObject({
  id: text,
  parent_id: maybe,
  trace_id: maybe,
  branch_key: maybe,
  created_by: z.looseObject({
    agent_id: text,
    agent_name: maybe,
    provider: maybe,
    model: maybe,
    role: maybe,
  }),
  event: z.looseObject({ type: text, label: maybe }),
  payload: z.unknown().optional(),
  integrity: z.looseObject({
    payload_hash: text,
    integrity_hash: text,
    verification_status: maybe,
    verification_reason: maybe,
  }),
  created_at: text,
});

/** Of a row that the server can no longer read, lists tell the id and why; the rest is shown as nothing. */
const UNREADABLE = {
  created_by: { agent_id: "-" },
  event: { type: UNREADABLE_EVENT },
  created_at: "",
  integrity: { payload_hash: "", integrity_hash: "" },
};
const filled = (value: unknown): unknown => {
  if (!isJsonObject(value) || value.unreadable !== true) return value;
  const integrity = isJsonObject(value.integrity) ? value.integrity : {};
  return { ...UNREADABLE, ...value, integrity: { ...UNREADABLE.integrity, ...integrity } };
};

export const Passport = z.preprocess(filled, WholePassport);
export type Passport = z.infer<typeof Passport>;

export const Committed = WholePassport.extend({ verify_url: maybe });
export const Me = z.looseObject({ agentId: text, agentName: text });
export const SearchPage = z.looseObject({
  results: z.array(Passport),
  total: z.number().nullish(),
  nextCursor: maybe,
});
export type SearchPage = z.infer<typeof SearchPage>;
export const Pulled = z.looseObject({ contexts: z.array(Passport), nextCursor: maybe });

export const ReplayStep = z.looseObject({
  step: z.number(),
  id: text,
  eventType: textOr(UNREADABLE_EVENT),
  model: maybe,
  timestamp: maybe,
  createdBy: z.looseObject({ agent_name: maybe, model: maybe }).nullish(),
  integrity: z
    .looseObject({
      chainValid: z.boolean().nullish(),
      verification_status: maybe,
      verification_reason: maybe,
    })
    .nullish(),
  payload: z.unknown().optional(),
  payload_pruned_at: maybe,
  fork_of: maybe,
  fork_point: maybe,
});
export type ReplayStep = z.infer<typeof ReplayStep>;
export const Replayed = z.looseObject({
  contextId: text,
  rootId: maybe,
  totalSteps: z.number(),
  chainIntact: z.boolean(),
  replay: z.array(ReplayStep),
  truncated: z.boolean().nullish(),
  nextCursor: maybe,
});
export type Replayed = z.infer<typeof Replayed>;

export const VerifiedStep = z.looseObject({
  id: text,
  payload_ok: z.boolean().nullish(),
  chain_ok: z.boolean().nullish(),
  envelope_ok: z.boolean().nullish(),
  link_ok: z.boolean().nullish(),
  signature: z.unknown().optional(),
  in_log: z.boolean().nullish(),
});
export const Verified = z.looseObject({
  ctx_id: text,
  chain_intact: z.boolean(),
  broken_at: maybe,
  length: z.number(),
  root_hash: maybe,
  tip_hash: maybe,
  reason: maybe,
  steps: z.array(VerifiedStep).optional(),
  checkpoint: z.unknown().optional(),
});
export type Verified = z.infer<typeof Verified>;

const LineageStep = z.looseObject({
  id: text,
  parentId: maybe,
  eventType: textOr(UNREADABLE_EVENT),
  integrityHash: maybe,
  chainValid: z.boolean().nullish(),
  reason: maybe,
});
export type LineageStep = z.infer<typeof LineageStep>;
export const Lineage = z.looseObject({
  contextId: text,
  rootId: maybe,
  integrityVerified: z.boolean().nullish(),
  chain: z.array(LineageStep),
});

const DiffSide = z.looseObject({
  id: text,
  model: maybe,
  eventType: maybe,
  payload: z.unknown().optional(),
  unreadable: z.boolean().nullish(),
  valid: z.boolean().nullish(),
  reason: maybe,
});
export type DiffSide = z.infer<typeof DiffSide>;
export const DiffStep = z.looseObject({
  step: z.number(),
  a: DiffSide.nullable(),
  b: DiffSide.nullable(),
  diff: z.looseObject({
    payloadChanged: z.boolean(),
    modelChanged: z.boolean(),
    providerChanged: z.boolean().nullish(),
    onlyInA: z.boolean().nullish(),
    onlyInB: z.boolean().nullish(),
  }),
});
export type DiffStep = z.infer<typeof DiffStep>;
export const Diffed = z.looseObject({
  ctxIdA: text,
  ctxIdB: text,
  totalSteps: z.number(),
  changedSteps: z.number(),
  unchangedSteps: z.number(),
  identical: z.boolean(),
  summary: z.looseObject({ modelsA: z.array(maybe), modelsB: z.array(maybe) }),
  steps: z.array(DiffStep),
  commonAncestor: maybe,
  chainIntactA: z.boolean().nullish(),
  chainIntactB: z.boolean().nullish(),
  brokenAtA: maybe,
  brokenAtB: maybe,
  reasonA: maybe,
  reasonB: maybe,
});
export type Diffed = z.infer<typeof Diffed>;

export const Forked = z.looseObject({
  id: text,
  fork_of: text,
  fork_point: text,
  lineage_root: maybe,
  branch_key: text,
  parent_id: maybe,
  warning: maybe,
});
export const Shared = z.looseObject({ shareId: text, shareUrl: text, ctxId: text, expiresAt: maybe });
export const Shares = z.looseObject({
  shares: z.array(
    z.looseObject({ shareId: text, shareUrl: maybe, ctxId: maybe, label: maybe, expiresAt: maybe }),
  ),
});
export const SigningKey = z.looseObject({ key_id: text, status: text });
export const SigningKeys = z.looseObject({
  keys: z.array(SigningKey.extend({ created_at: maybe, revoked_at: maybe, description: maybe })),
});
export const MadeAgent = z.looseObject({ agentId: text, agentName: text, apiKey: text });
export const Anything = z.looseObject({});
