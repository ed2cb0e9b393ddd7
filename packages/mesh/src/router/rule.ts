import { exceedsCodePoints, isAdmissibleKey, type JsonObject } from "@darkmatter/core";
import { z } from "zod";
import { CONTENT_CODE_POINTS_MAX } from "../messages/message.ts";

export const RULE_ACTIONS = ["handle", "forward", "respond", "drop", "pass"] as const;

/** Rules of one node: each message is held against all of them. */
export const RULES_MAX = 200;
export const KEYWORD_CODE_POINTS_MAX = 256;
const NAME_CODE_POINTS_MAX = 128;
const TARGETS_MAX = 50;
const PRIORITY_MAX = 1_000_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const UNWRITABLE = /[\u0000-\u0008\u000b-\u001f\u007f]/;

const bounded = (max: number, what: string) =>
  z
    .string()
    .refine((text) => !exceedsCodePoints(text, max), `${what} must be at most ${max} characters`)
    .refine(
      (text) => text.isWellFormed() && !UNWRITABLE.test(text),
      `${what} must hold no control characters`,
    );

const agentId = z.string().refine(isAdmissibleKey, "must be an agent's full id (64 hex characters)");
const orNone = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? null);

/** A rule as it is stored, exported and shown (mesh.md 14). All conditions it names must hold. */
export const Rule = z
  .object({
    rule_id: z
      .string()
      .regex(/^[\w.-]{1,64}$/, "rule_id must be 1 to 64 letters, digits, dots, dashes or underscores"),
    action: z.enum(RULE_ACTIONS),
    /** Higher ones are tried first; of equals the older one. */
    priority: z.int().min(-PRIORITY_MAX).max(PRIORITY_MAX).default(0),
    enabled: z.boolean().default(true),
    /** Somewhere in the content, whatever its case; plain text, never a pattern. */
    keyword: orNone(bounded(KEYWORD_CODE_POINTS_MAX, "keyword")),
    from_agent_id: orNone(agentId),
    /** Present in the metadata. */
    metadata_key: orNone(bounded(NAME_CODE_POINTS_MAX, "metadata_key")),
    /** Its value as text. */
    metadata_value: orNone(bounded(KEYWORD_CODE_POINTS_MAX, "metadata_value")),
    forward_to: z
      .array(agentId)
      .max(TARGETS_MAX, `forward_to must name at most ${TARGETS_MAX} agents`)
      .default([]),
    response_text: orNone(bounded(CONTENT_CODE_POINTS_MAX, "response_text")),
  })
  .readonly();
export type Rule = z.output<typeof Rule>;

/** What a rule looks at. */
export interface RoutedMessage {
  readonly content: string;
  readonly from: string;
  readonly metadata: JsonObject;
}

/** What keeps a rule from doing anything, as a sentence; `undefined` for one that works. */
export function uselessness({
  action,
  forward_to: targets,
  response_text: text,
  metadata_key,
  metadata_value,
}: Rule) {
  if (action === "forward" && targets.length === 0) return "A rule that forwards needs forward_to (--to).";
  if (action === "respond" && !text) return "A rule that responds needs response_text (--say).";
  if (metadata_value !== null && metadata_key === null) return "metadata_value needs metadata_key.";
  return undefined;
}

/** Whether every condition of an enabled rule holds. `lowered` is the content in lower case. */
export function matches(rule: Rule, { from, metadata }: RoutedMessage, lowered: string): boolean {
  const { keyword, from_agent_id: sender, metadata_key: key, metadata_value: value } = rule;
  if (!rule.enabled) return false;
  if (keyword && !lowered.includes(keyword.toLowerCase())) return false;
  if (sender && sender !== from) return false;
  if (!key) return true;
  if (!Object.hasOwn(metadata, key)) return false;
  return value === null || asText(metadata[key]) === value;
}

const asText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
