import { type ExactJson, ExactNumber, isExactObject, readExactJson } from "@darkmatter/core";
import { type Markup, markup } from "../pages/html.ts";

/** Longer payloads are shown by their beginning: the whole is in the JSON beside the page. */
const TEXT_CHARACTERS_MAX = 20_000;
/** Longer ones are shown as text: a list of digits becomes a tree of many times its length. */
const TREE_CHARACTERS_MAX = 5000;
const DEPTH_MAX = 24;

/** A payload as a tree of names and values; texts as text, numbers with their digits. */
export function payloadTree(text: string): Markup {
  if (text.length > TEXT_CHARACTERS_MAX)
    return markup`<pre>${text.slice(0, TEXT_CHARACTERS_MAX)}</pre><p class="quiet">The rest is in the JSON.</p>`;
  const value = text.length > TREE_CHARACTERS_MAX ? undefined : readable(text);
  return value === undefined ? markup`<pre>${text}</pre>` : treeOf(value, 0);
}

/** `undefined` for what is no JSON any more: what was stored is shown, and the verdict says that it is broken. */
function readable(text: string): ExactJson | undefined {
  try {
    return readExactJson(text);
  } catch {
    // Bytes that were changed in the database: shown as they are.
    return undefined;
  }
}

function treeOf(value: ExactJson, depth: number): Markup {
  if (value === null || typeof value === "boolean") return markup`<code>${String(value)}</code>`;
  if (typeof value === "string") return markup`<bdi>${value}</bdi>`;
  if (value instanceof ExactNumber) return markup`<code>${value.token}</code>`;
  if (depth === DEPTH_MAX) return markup`<span class="quiet">deeper than is shown here</span>`;
  const members = isExactObject(value)
    ? [...value].map(([name, member]) => row(name, member, depth))
    : [...value].map((member, at) => row(String(at), member, depth));
  return members.length === 0
    ? markup`<span class="quiet">empty</span>`
    : markup`<dl class="tree">${members}</dl>`;
}

const row = (name: string, member: ExactJson, depth: number) =>
  markup`<dt><bdi>${name}</bdi></dt><dd>${treeOf(member, depth + 1)}</dd>`;
