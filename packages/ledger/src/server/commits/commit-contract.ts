import { UNLIMITED } from "@darkmatter/surface";
import { z } from "zod";
import type { PayloadLimits } from "./commit-request.ts";

const Text = z.string().max(200);

/** Who or what made a payload, as the API page shows it. */
export const SentAgentBody = z
  .looseObject({ role: Text.nullish(), provider: Text.nullish(), model: Text.nullish() })
  .nullish();

/** The body of a commit, as the API page shows it; it is read, token by token, by `readCommitRequest`. */
export const CommitBody = z.looseObject({
  payload: z.looseObject({}).nullish().describe("what is committed; kept token by token"),
  context: z.unknown().optional().describe("older name: becomes the payload's `output`"),
  toAgentId: Text.nullish().describe("id, or a name only one agent of the account has; the caller without"),
  parentId: Text.nullish().describe(
    "the commit it follows, of the same account; this and the three below also as answers write them: `parent_id`",
  ),
  traceId: Text.nullish(),
  branchKey: Text.nullish().describe("`main` without"),
  eventType: z
    .string()
    .max(64)
    .nullish()
    .describe("one that is not known is kept as the label of a `commit`"),
  agent: SentAgentBody,
  metadata: z.looseObject({}).nullish(),
  client_attestation: z.looseObject({}).nullish().describe("dm-envelope-v1, signed by a key of the client"),
  completeness_claim: z.boolean().nullish(),
  payload_hash: z.string().nullish(),
  integrity_hash: z.string().nullish(),
  envelope: z.looseObject({}).nullish().describe("the commit envelope as the client made it"),
  agent_signature: z.string().nullish().describe("Ed25519 over the canon-1 of `envelope`, hex"),
  agent_public_key: z.string().nullish().describe("SPKI PEM"),
  strict: z.boolean().nullish().describe("refuses what would be a warning: a claim that is not met"),
  share: z.boolean().nullish().describe("also makes a share"),
  idempotencyKey: z.string().max(255).nullish().describe("or as the header `Idempotency-Key`"),
});

/** What a body may not exceed, in the words of the API page. */
export function tooLarge({ payloadBytes, payloadValues }: PayloadLimits): string {
  const bytes = `more than ${payloadBytes} bytes of canonical payload`;
  if (payloadValues === UNLIMITED) return bytes;
  return `${bytes}, or (\`too_many_values\`) more than ${payloadValues} members of objects and items of arrays in the body`;
}
