import { fromHex, sha256Hex } from "@darkmatter/core";
import type { Answer } from "@darkmatter/surface";
import { type Markup, markup } from "./html.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --good: #15803d; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --good: #4ade80; --bad: #f87171; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
code, pre { font: 0.85rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0.5rem 0; }
dt { color: #888; overflow-wrap: anywhere; max-width: 14rem; }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
details { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.6rem 1rem; margin: 0.5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.4rem; } }
.tree { border-left: 2px solid var(--line); padding-left: 0.75rem; }
.fork { margin-left: 1.5rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.quiet { color: #888; }
bdi { unicode-bidi: isolate; }
`;

const STYLE_HASH = Buffer.from(fromHex(sha256Hex(STYLE)) ?? []).toString("base64");

/** Nothing but the page's own style sheet: no script, no picture, no form, no frame, no other site. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export interface Page {
  readonly title: string;
  readonly body: Markup;
  /** More elements of the head. */
  readonly head?: Markup;
}

/** A page that stands alone: everything in it was escaped, and nothing in it can reach out. */
export function pageAnswer(status: number, { title, body, head = markup`` }: Page): Answer {
  return {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
    },
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${markup`<title>${title}</title>`.text}
${head.text}
<style>${STYLE}</style></head>
<body>${body.text}</body></html>
`,
  };
}
