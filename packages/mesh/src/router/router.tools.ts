import type { JsonObject } from "@darkmatter/core";
import { once, type Write } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered } from "../answers.ts";
import type { Services } from "../services.ts";
import { ROUTER_MODES } from "../settings.ts";
import { RULE_ACTIONS, type Rule } from "./rule.ts";

const SETS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const OWNERS = { audience: "owner", visible: () => true } as const;

const ruleId = z.string().min(1).max(64);
const Fields = z.object({
  action: z.enum(RULE_ACTIONS).optional(),
  priority: z.int().optional(),
  enabled: z.boolean().optional(),
  keyword: z.string().nullish(),
  from_agent_id: z.string().nullish(),
  metadata_key: z.string().nullish(),
  metadata_value: z.string().nullish(),
  forward_to: z.array(z.string()).optional(),
  response_text: z.string().nullish(),
});

const NO_INPUT = z.object({});
const OwnerRulesRemoveInput = z.object({ rule_id: ruleId });
const OwnerRulesModeInput = z.object({ mode: z.enum(ROUTER_MODES) });

/** Rules and mode are the owner's: an agent that could set them could be talked into it by a peer. */
export function routerTools(services: Services): Tool[] {
  const { db, rules, ports } = services;

  /** One change of the rules, once for a call, answered with the rule as it is then. */
  const changing = (callId: string | undefined, act: (tx: Write) => Promise<Rule>) =>
    answered(async () => {
      const rule = await db.write((tx) => once(tx, callId, () => act(tx)));
      return { success: true, rule: shown(rule) };
    });

  return [
    tool({
      ...OWNERS,
      name: "darkmatter_owner_rules_list",
      title: "Rules and mode",
      description: "Use this to see what is done with messages before the agent sees them.",
      input: NO_INPUT,
      annotations: { ...SETS, readOnlyHint: true, idempotentHint: true },
      handle: () =>
        answered(async () => ({
          mode: await rules.modeIn(db),
          mode_fixed: rules.isModeFixed(),
          custom_routers: ports.customRouting?.routers.length ?? 0,
          custom_replaces: ports.customRouting?.replaces ?? false,
          rules: (await rules.all(db)).map(shown),
        })),
    }),
    tool({
      ...OWNERS,
      name: "darkmatter_owner_rules_add",
      title: "Add a rule",
      description: "Use this to have something done with messages that hold all the conditions named.",
      input: Fields.extend({ rule_id: ruleId.optional(), action: z.enum(RULE_ACTIONS) }),
      annotations: SETS,
      handle: (input, { callId }) =>
        changing(callId, async (tx) =>
          rules.add(tx, { ...input, rule_id: input.rule_id ?? (await rules.freeId(tx)) }),
        ),
    }),
    tool({
      ...OWNERS,
      name: "darkmatter_owner_rules_edit",
      title: "Change a rule",
      description: "Use this to change what is named of a rule; null takes a condition away.",
      input: Fields.extend({ rule_id: ruleId }),
      annotations: SETS,
      handle: ({ rule_id: id, ...changes }, { callId }) =>
        changing(callId, (tx) => rules.edit(tx, id, changes)),
    }),
    tool({
      ...OWNERS,
      name: "darkmatter_owner_rules_remove",
      title: "Remove a rule",
      description: "Use this to forget a rule.",
      input: OwnerRulesRemoveInput,
      annotations: { ...SETS, destructiveHint: true },
      handle: ({ rule_id: id }, { callId }) => changing(callId, (tx) => rules.remove(tx, id)),
    }),
    tool({
      ...OWNERS,
      name: "darkmatter_owner_rules_mode",
      title: "Choose the mode",
      description: "Use this to choose what is done with messages that no rule decides about.",
      input: OwnerRulesModeInput,
      annotations: { ...SETS, idempotentHint: true },
      handle: ({ mode }) =>
        answered(async () => {
          await db.write((tx) => rules.setMode(tx, mode));
          return { success: true, mode: rules.mode(), mode_fixed: rules.isModeFixed() };
        }),
    }),
  ];
}

const shown = (rule: Rule): JsonObject => ({ ...rule, forward_to: [...rule.forward_to] });
