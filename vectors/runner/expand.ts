import { isJsonObject, type Json } from "@darkmatter/core";

/** Long texts stand in the files as `{"$repeat": "y", "count": 65537}`. */
export function expanded(value: Json): Json {
  if (Array.isArray(value)) return value.map(expanded);
  if (!isJsonObject(value)) return value;
  const { $repeat: text, count } = value;
  if (typeof text === "string" && typeof count === "number") return text.repeat(count);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, expanded(entry)]));
}

/** The value with every text replaced by what stands for it, wherever it occurs. */
export function replaced(value: Json, replacements: ReadonlyMap<string, string>): Json {
  if (typeof value === "string") {
    let text = value;
    for (const [old, live] of replacements) text = text.replaceAll(old, live);
    return text;
  }
  if (Array.isArray(value)) return value.map((entry) => replaced(entry, replacements));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, replaced(entry, replacements)]),
  );
}
