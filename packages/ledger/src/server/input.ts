import type { z } from "zod";
import { serverError } from "./errors.ts";

/** What a route takes, read once; the first thing wrong is named by its path. @throws invalid_request */
export function inputOf<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "request";
  throw serverError("invalid_request", `\`${where}\`: ${issue?.message ?? "is not as this route wants it"}.`);
}

/** The query of a request as a schema wants it; of a name that comes twice, the last. @throws invalid_request */
export function queryOf<Schema extends z.ZodObject>(
  schema: Schema,
  search: URLSearchParams,
): z.output<Schema> {
  return inputOf(schema, Object.fromEntries(search));
}
