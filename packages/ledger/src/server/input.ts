import { z } from "zod";
import { serverError } from "./errors.ts";

/** Whether both engines keep a text as it is: PostgreSQL takes no U+0000, and half a character is written as another. */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

/** A text that is kept, or looked for. */
export const StorableText = z.string().refine(isStorable, "holds a character that cannot be kept");

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
