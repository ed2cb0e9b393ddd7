import { SECOND_MS } from "@darkmatter/core";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered } from "../answers.ts";
import type { Services } from "../services.ts";
import { shownToken } from "./tokens.ts";

const ACTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

const name = z.string().min(1).max(64);

const OwnerA2aIssueInput = z.object({
  name,
  ttl_seconds: z.int().positive().optional(),
  may_wake: z.boolean().default(false),
});
const NO_INPUT = z.object({});
const OwnerA2aRevokeInput = z.object({ name });

/** What the owner does with tokens. No agent sees these. */
export function a2aTools({ a2a, db, ports, changed }: Services): Tool[] {
  const owner = { audience: "owner", visible: () => true } as const;
  return [
    tool({
      ...owner,
      name: "darkmatter_owner_a2a_issue",
      title: "Issue an A2A token",
      description: "Lets an A2A client leave messages with this agent. The token is shown once.",
      input: OwnerA2aIssueInput,
      annotations: ACTS,
      handle: ({ name, ttl_seconds: ttl, may_wake: mayWake }) =>
        answered(async () => {
          const ttlMs = ttl === undefined ? undefined : ttl * SECOND_MS;
          const { token, secret } = await db.write((tx) => a2a.tokens.issue(tx, { name, ttlMs, mayWake }));
          return { success: true, token: secret, ...shownToken(token, ports.clock.now()) };
        }),
    }),
    tool({
      ...owner,
      name: "darkmatter_owner_a2a_list",
      title: "A2A tokens",
      description: "The tokens that hold, without their secrets.",
      input: NO_INPUT,
      annotations: READS,
      handle: () =>
        answered(async () => {
          const tokens = await a2a.tokens.list(db);
          return { tokens: tokens.map((token) => shownToken(token, ports.clock.now())) };
        }),
    }),
    tool({
      ...owner,
      name: "darkmatter_owner_a2a_revoke",
      title: "Revoke an A2A token",
      description: "Ends a token, its tasks, and what of them still waits for the agent.",
      input: OwnerA2aRevokeInput,
      annotations: { ...ACTS, destructiveHint: true },
      handle: ({ name }) =>
        answered(async () => {
          await db.write((tx) => a2a.tokens.revoke(tx, name));
          changed();
          return { success: true, name };
        }),
    }),
  ];
}
