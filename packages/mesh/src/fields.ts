import { cutCodePoints, exceedsCodePoints, isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import { meshError } from "./errors.ts";

/** A parsed body, before any of it is believed. */
export type Body = { readonly [key: string]: Json };

export const AGENT_ID_CODE_POINTS_MAX = 128;
export const MESSAGE_ID_CODE_POINTS_MAX = 128;
export const BIO_CODE_POINTS_MAX = 1000;
export const NAME_CODE_POINTS_MAX = 100;

/** Refuses a body that lacks a field, naming all that lack, in the order given. An empty text counts as lacking. */
export function requireFields(body: Body, names: readonly string[]): void {
  const missing = names.filter(
    (name) => body[name] === undefined || body[name] === null || body[name] === "",
  );
  if (missing.length > 0) throw meshError("BAD_REQUEST", `Missing required fields: ${missing.join(", ")}`);
}

/** A text field; `undefined` when absent or null. Another type is refused. */
export function textField(body: Body, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw meshError("BAD_REQUEST", `Invalid field: ${name} must be text.`);
  return value;
}

/** A text field that is cut, not refused, when too long. */
export function cutField(body: Body, name: string, max: number): string | undefined {
  const value = textField(body, name);
  return value === undefined ? undefined : cutCodePoints(value, max);
}

/** A text field that goes into a signed text and so may hold no line feed. */
export function lineField(body: Body, name: string): string | undefined {
  const value = textField(body, name);
  if (value?.includes("\n")) throw meshError("BAD_REQUEST", `Invalid field: ${name} must be one line.`);
  return value;
}

/** An agent's id: one line, at most 128 code points, as its field `name`. */
export function agentIdField(body: Body, name: string): string | undefined {
  const value = lineField(body, name);
  if (value !== undefined && exceedsCodePoints(value, AGENT_ID_CODE_POINTS_MAX)) {
    throw meshError("BAD_REQUEST", `${name} too long`);
  }
  return value;
}

export function booleanField(body: Body, name: string): boolean {
  const value = body[name];
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean")
    throw meshError("BAD_REQUEST", `Invalid field: ${name} must be true or false.`);
  return value;
}

/** A JSON object field; empty when absent or null. */
export function objectField(body: Body, name: string): JsonObject {
  const value = body[name];
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw meshError("BAD_REQUEST", `Invalid field: ${name} must be an object.`);
  return value;
}

/** An object whose values are all texts, such as wallets; other values are refused. At most `max` entries. */
export function textsField(body: Body, name: string, max = 20): Record<string, string> {
  const texts: Record<string, string> = {};
  const entries = Object.entries(objectField(body, name));
  if (entries.length > max) throw meshError("BAD_REQUEST", `Invalid field: ${name} has too many entries.`);
  for (const [key, value] of entries) {
    if (typeof value !== "string" || value.length > 2048 || key.length > 64) {
      throw meshError("BAD_REQUEST", `Invalid field: ${name} must hold short texts.`);
    }
    texts[key] = value;
  }
  return texts;
}

/** A list of texts; empty when absent or null. */
export function listField(body: Body, name: string, max = 32): string[] {
  const value = body[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > max || !value.every((item) => typeof item === "string")) {
    throw meshError("BAD_REQUEST", `Invalid field: ${name} must be a short list of texts.`);
  }
  return value as string[];
}
