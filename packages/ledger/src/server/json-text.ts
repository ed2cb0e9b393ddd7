import { canon1OfText, DarkMatterError } from "@darkmatter/core";
import type { Answer } from "@darkmatter/surface";

/** JSON text that goes into an answer as it stands: payloads keep every token of a number (ledger.md 2.1). */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A text that was kept as JSON; `null` where something else became of it, which would end the answer's own. */
export function rawOrNull(text: string): RawJson | null {
  try {
    canon1OfText(text);
    return new RawJson(text);
  } catch (error) {
    if (error instanceof DarkMatterError) return null;
    throw error;
  }
}

/** What an answer is made of. Members that are `undefined` are left out. */
export type Answerable =
  | null
  | boolean
  | number
  | string
  | RawJson
  | readonly Answerable[]
  | { readonly [name: string]: Answerable | undefined };

export function jsonText(value: Answerable): string {
  if (value instanceof RawJson) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(jsonText).join()}]`;
  const members: string[] = [];
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${jsonText(member)}`);
  }
  return `{${members.join()}}`;
}

const isList = (value: object): value is readonly Answerable[] => Array.isArray(value);

/** An answer in JSON. */
export function answer(
  status: number,
  value: Answerable,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: jsonText(value),
  };
}
