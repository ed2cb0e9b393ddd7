import { cutCodePoints, isJsonObject, JSON_DEPTH_MAX, type JsonObject } from "@darkmatter/core";
import type { z } from "zod";
import type { Tool } from "../tool.ts";

export type ParsedArguments =
  | { readonly kind: "valid"; readonly input: Record<string, unknown> }
  | { readonly kind: "invalid"; readonly error: string };

/** Problems named in one error: an agent mends these first. */
const PROBLEMS_MAX = 5;
const NAME_CODE_POINTS_MAX = 80;

const strict = new WeakMap<z.ZodObject, z.ZodObject>();

/**
 * What an agent gave a tool, trimmed and checked: flat, or wrapped in `params` as the first generation's schema had
 * it. The error names each field and what it may be.
 */
export function parseArguments(tool: Tool, given: unknown): ParsedArguments {
  const flat = unwrapped(tool, given ?? {});
  const trimmed = trimmedDeep(flat, 0);
  if (trimmed === TOO_DEEP)
    return { kind: "invalid", error: `The parameters nest deeper than ${JSON_DEPTH_MAX}` };
  const parsed = strictOf(tool.input).safeParse(trimmed);
  if (parsed.success) return { kind: "valid", input: parsed.data };
  const problems = parsed.error.issues
    .slice(0, PROBLEMS_MAX)
    .map((issue) => problemText(issue, tool, trimmed));
  return { kind: "invalid", error: problems.join("; ") };
}

function unwrapped(tool: Tool, given: unknown): unknown {
  if (!isJsonObject(given) || Object.keys(given).length !== 1 || "params" in tool.input.shape) return given;
  return isJsonObject(given.params) ? given.params : given;
}

function strictOf(schema: z.ZodObject): z.ZodObject {
  let made = strict.get(schema);
  if (!made) {
    made = schema.strict();
    strict.set(schema, made);
  }
  return made;
}

const TOO_DEEP = Symbol("too deep");

function trimmedDeep(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.trim();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= JSON_DEPTH_MAX) return TOO_DEEP;
  if (Array.isArray(value)) {
    const items = value.map((item) => trimmedDeep(item, depth + 1));
    return items.includes(TOO_DEEP) ? TOO_DEEP : items;
  }
  const entries = Object.entries(value).map(([key, inner]) => [key, trimmedDeep(inner, depth + 1)] as const);
  return entries.some(([, inner]) => inner === TOO_DEEP) ? TOO_DEEP : Object.fromEntries(entries);
}

function problemText(issue: z.core.$ZodIssue, tool: Tool, given: unknown): string {
  const at = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys
      .slice(0, PROBLEMS_MAX)
      .map((key) => `"${cutCodePoints(key, NAME_CODE_POINTS_MAX)}"`);
    const allowed = at === "" ? `; allowed: ${Object.keys(tool.input.shape).join(", ") || "none"}` : "";
    return `unknown parameter ${unknown.join(", ")}${at === "" ? "" : ` in ${at}`}${allowed}`;
  }
  if (issue.code === "invalid_type" && valueAt(given, issue.path) === undefined) {
    return `${at || "the parameters"}: required (${issue.expected})`;
  }
  return `${at || "the parameters"}: ${issue.message}`;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) value = (value as JsonObject | undefined)?.[key as string];
  return value;
}
