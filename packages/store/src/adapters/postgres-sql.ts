/** Texts kept numbered; the one numbered first goes when a new one comes. */
const TEXTS_MAX = 1000;

const numbered = new Map<string, string>();

/** Writes `?` parameters as PostgreSQL's `$1`, `$2` …, leaving strings, quoted names and comments as they are. */
export function numberParameters(sql: string): string {
  const known = numbered.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const text = sql.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g, (part) =>
    part === "?" ? `$${++count}` : part,
  );
  if (numbered.size >= TEXTS_MAX) {
    const [oldest] = numbered.keys();
    if (oldest !== undefined) numbered.delete(oldest);
  }
  numbered.set(sql, text);
  return text;
}
