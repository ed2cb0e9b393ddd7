/** The lines `NAME=value` of a `.env` file. Where a name comes twice, the last line counts. */
export function readDotEnv(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, name, value = ""] = ASSIGNMENT.exec(line) ?? [];
    if (name !== undefined) found.set(name, unquoted(value.trim()));
  }
  return found;
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;

function unquoted(value: string): string {
  const [, quote, inside] = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(value) ?? [];
  if (quote !== undefined) return inside ?? "";
  return value.replace(/\s+#.*$/, "");
}

/** The text with these settings at its end: they count, what stood before stays to be read. */
export function appendedTo(text: string, settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  return (text === "" || text.endsWith("\n") ? text : `${text}\n`) + lines.join("");
}

/** The text with each setting in place of its first line; further lines of the same name go. */
export function replacedIn(text: string, settings: Readonly<Record<string, string>>): string {
  const left = new Map(Object.entries(settings));
  const lines = text.split("\n").flatMap((line) => {
    const name = ASSIGNMENT.exec(line)?.[1];
    if (name === undefined || settings[name] === undefined) return [line];
    const value = left.get(name);
    left.delete(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return appendedTo(lines.join("\n"), Object.fromEntries(left));
}

/** Files that hold a secret, as `.gitignore` names them. */
export interface Ignored {
  readonly line: string;
  /** Lines by any of which git leaves them alone. */
  readonly by: ReadonlySet<string>;
}

export const DOT_ENV: Ignored = {
  line: ".env",
  by: new Set([".env", "/.env", ".env*", "*.env", "**/.env"]),
};
export const PRIVATE_KEYS: Ignored = {
  line: "*.private.pem",
  by: new Set(["*.private.pem", "**/*.private.pem", "*.pem", "**/*.pem"]),
};

/** A `.gitignore` that keeps something out of git; `undefined` where it does so already. */
export function ignoring(text: string, { line: added, by }: Ignored): string | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines.some((line) => by.has(line))) return undefined;
  return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${added}\n`;
}
