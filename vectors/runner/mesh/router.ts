import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import { ROUTER_MODES, type RouterMode } from "@darkmatter/mesh/nouns";
import { decide, inOrder, Rule } from "@darkmatter/mesh/testing";
import { type Outcome, ran } from "../outcome.ts";

interface Case {
  readonly content: string;
  readonly from_agent_id: string | null;
  readonly metadata: JsonObject | null;
  readonly decision: Readonly<Record<string, JsonObject | null>>;
}

/** What is decided about a message, by rules and mode (mesh.md 14); a mode nobody knows is `spawn`. */
export async function* router(document: Json): AsyncIterable<Outcome> {
  const { rules, cases } = document as unknown as { rules: readonly Json[]; cases: readonly Case[] };
  const ordered = inOrder(rules.map((rule) => Rule.parse(rule)));
  for (const [at, { content, from_agent_id: from, metadata, decision }] of cases.entries()) {
    const message = { content, from: from ?? "", metadata: isJsonObject(metadata) ? metadata : {} };
    for (const [mode, expected] of Object.entries(decision)) {
      yield ran(`case ${at + 1}, ${mode}`, (found) => {
        const known = ROUTER_MODES.find((one) => one === mode) ?? ("spawn" satisfies RouterMode);
        const decided = decide(ordered, known, message);
        const shown = decided && {
          action: decided.action,
          forward_to: [...decided.forwardTo],
          response: decided.response,
          reason: decided.reason,
        };
        found.like("decision", shown, expected);
      });
    }
  }
}
