/** Markup whose values were escaped. Only the tags below make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type MarkupValue = string | number | Markup | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// XML has no way to say most control characters, and a reader that meets one stops.
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const UNSAYABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g;

/** A text as content, or as a quoted attribute, of HTML and XML alike. */
export function escaped(text: string): string {
  return text.replace(UNSAYABLE, "\ufffd").replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}

/** Markup of a template: every value is escaped unless it is markup itself. */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(parts.map((part, at) => part + textOf(values[at] ?? "")).join(""));
}

function textOf(value: MarkupValue): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === "string" || typeof value === "number") return escaped(String(value));
  return value.map(({ text }) => text).join("");
}
