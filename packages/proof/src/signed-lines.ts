/**
 * Fields joined by LF, of which only the last may hold one; `undefined` otherwise, and when any is not well-formed
 * Unicode. Two sets of fields then never give the same text.
 */
export function joined(fields: readonly string[], last: string): string | undefined {
  const text = [...fields, last].join("\n");
  return fields.some((field) => field.includes("\n")) || !text.isWellFormed() ? undefined : text;
}

/** The same for fields of which none may hold an LF. */
export function joinedLines(...fields: readonly string[]): string | undefined {
  const last = fields.at(-1) ?? "";
  return last.includes("\n") ? undefined : joined(fields.slice(0, -1), last);
}
