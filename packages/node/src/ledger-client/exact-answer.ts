/** What `JSON.parse` tells of a value that was not yet read into a double. */
type Source = { readonly source?: string };
const { rawJSON } = JSON as typeof JSON & { rawJSON(token: string): unknown };

/**
 * Reads an answer so that `JSON.stringify` writes every number as the server did: payloads hold `1.0` and integers
 * beyond doubles. Such numbers are objects meanwhile; all others are numbers.
 */
export function readAnswer(text: string): unknown {
  const keepToken = (_key: string, value: unknown, { source }: Source = {}) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? rawJSON(source) : value;
  return JSON.parse(text, keepToken);
}
