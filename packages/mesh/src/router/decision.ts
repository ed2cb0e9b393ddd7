import type { RouterMode } from "../settings.ts";
import { matches, type RoutedMessage, type Rule } from "./rule.ts";

/** What is done with a message (mesh.md 14). */
export interface Decision {
  readonly action: "handle" | "forward" | "respond" | "drop";
  readonly forwardTo: readonly string[];
  readonly response: string | null;
  readonly reason: string;
  /** Who decided; what the queue decides is that the message waits, as if nobody had. */
  readonly by: "rule" | "spawn" | "queue" | "custom";
}

const HANDLE = { action: "handle", forwardTo: [], response: null } as const;
const SPAWN: Decision = { ...HANDLE, reason: "Spawn mode — handling message", by: "spawn" };
const QUEUE: Decision = {
  ...HANDLE,
  reason: "Queue mode — message queued for manual handling",
  by: "queue",
};

/** Rules as they are tried: highest priority first, of equals the one that came first. */
export function inOrder(rules: readonly Rule[]): readonly Rule[] {
  return rules.toSorted((a, b) => b.priority - a.priority);
}

/**
 * What a mode's chain says of a message, by rules in the order of `inOrder`; `null` when all of it passes and the
 * message stays queued. An unknown mode is `spawn`.
 */
export function decide(rules: readonly Rule[], mode: RouterMode, message: RoutedMessage): Decision | null {
  if (mode === "queue_only") return QUEUE;
  const byRule = decideByRules(rules, message);
  if (byRule) return byRule;
  if (mode === "rules_only") return null;
  return mode === "rules_first" ? QUEUE : SPAWN;
}

/** The first rule that matches; `null` without one, and where it says pass. */
export function decideByRules(rules: readonly Rule[], message: RoutedMessage): Decision | null {
  if (rules.length === 0) return null;
  const lowered = message.content.toLowerCase();
  const rule = rules.find((one) => matches(one, message, lowered));
  if (!rule || rule.action === "pass") return null;
  const { action, forward_to: forwardTo, response_text: response, rule_id: id } = rule;
  return { action, forwardTo, response, reason: `Matched rule '${id}'`, by: "rule" };
}
