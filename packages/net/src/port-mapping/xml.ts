/** An element that has ended: its local name, and its text if it held no other element. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
}

const DEPTH_MAX = 32;
const ELEMENTS_MAX = 4000;
const NAME = /^(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(?=[\s/]|$)/;

/**
 * The elements of a router's XML in the order they end, or `undefined` for what is no XML or more than a router has to
 * say. Only elements and text: document types, and with them entities of one's own, are refused; attributes are read
 * past. Takes time in proportion to the text.
 */
export function xmlElements(xml: string): readonly XmlElement[] | undefined {
  const ended: XmlElement[] = [];
  const open: { readonly name: string; text: string | undefined }[] = [];
  let at = 0;
  for (;;) {
    const from = xml.indexOf("<", at);
    if (from < 0) return open.length === 0 && ended.length > 0 ? ended : undefined;
    const top = open.at(-1);
    if (top?.text !== undefined) top.text += xml.slice(at, from);
    const comment = xml.startsWith("<!--", from);
    const to = xml.indexOf(comment ? "-->" : ">", from);
    if (to < 0) return undefined;
    at = to + (comment ? 3 : 1);
    if (comment || xml[from + 1] === "?") continue;

    const closes = xml[from + 1] === "/";
    const tag = xml.slice(from + (closes ? 2 : 1), to);
    const name = NAME.exec(tag)?.[1];
    if (name === undefined || tag.includes("<")) return undefined;
    if (closes) {
      const element = open.pop();
      if (element?.name !== name) return undefined;
      ended.push({ name, text: decoded((element.text ?? "").trim()) });
    } else {
      if (top) top.text = undefined;
      if (tag.endsWith("/")) ended.push({ name, text: "" });
      else open.push({ name, text: "" });
    }
    if (open.length > DEPTH_MAX || ended.length > ELEMENTS_MAX) return undefined;
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (whole, name: string) => NAMED[name] ?? whole);
}

export function xmlText(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
