import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import { z } from "zod";
import type { Tool } from "../tool.ts";

export type InputSchema = JsonObject & { readonly type: "object" };

const schemas = new WeakMap<z.ZodObject, InputSchema>();

/**
 * The JSON Schema of a tool's parameters, as short as it can be said: the list of tools is read into every agent's
 * context. Validation is stricter (unknown keys) and done by `parseArguments`. Made once per tool: a session lists
 * its tools again at each change.
 */
export function inputSchemaOf(tool: Tool): InputSchema {
  const known = schemas.get(tool.input);
  if (known) return known;
  const full = z.toJSONSchema(tool.input, { io: "input", unrepresentable: "any" }) as Json;
  const schema = { ...(compact(full) as JsonObject), type: "object" } as InputSchema;
  schemas.set(tool.input, schema);
  return schema;
}

/** What every JSON parser means anyway, or what the agent cannot use. */
function isNoise(key: string, value: Json, owner: JsonObject): boolean {
  if (key === "$schema" || key === "additionalProperties") return true;
  if (key === "required") return Array.isArray(value) && value.length === 0;
  if (key === "default")
    return value === null || value === "" || (typeof value === "object" && isEmpty(value));
  if (key === "minimum") return value === Number.MIN_SAFE_INTEGER;
  if (key === "maximum") return value === Number.MAX_SAFE_INTEGER;
  if (key === "propertyNames") return isJsonObject(value) && value.type === "string";
  return key === "pattern" && typeof owner.format === "string";
}

function isEmpty(value: Json[] | JsonObject): boolean {
  return Object.keys(value).length === 0;
}

function compact(value: Json): Json {
  if (Array.isArray(value)) return value.map(compact);
  if (!isJsonObject(value)) return value;
  const kept: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    // The names of parameters are no keywords: one may well be called `default`.
    if (key === "properties" && isJsonObject(inner)) kept[key] = mapValues(inner, compact);
    else if (!isNoise(key, inner, value))
      kept[key] = key === "default" || key === "enum" ? inner : compact(inner);
  }
  return kept;
}

function mapValues(object: JsonObject, change: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
