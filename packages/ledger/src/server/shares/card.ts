import { cutCodePoints } from "@darkmatter/core";
import { markup } from "../pages/html.ts";
import { verdictOf } from "./share-summary.ts";
import type { Shown } from "./shared-chain.ts";

const LINE_CODE_POINTS_MAX = 56;

/** What chats show beside a link to a share. */
export function cardSvg(label: string | null, shown: Shown): string {
  const line = (text: string) => cutCodePoints(text, LINE_CODE_POINTS_MAX);
  const color = shown.isIntact ? "#4ade80" : "#f87171";
  return markup`<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="630" viewBox="0 0 1200 630">
<rect width="1200" height="630" fill="#0b0d12"/>
<g font-family="system-ui, sans-serif" fill="#e5e7eb">
<text x="80" y="130" font-size="34" fill="#9ca3af">DarkMatter ledger</text>
<text x="80" y="230" font-size="58" font-weight="700">${line(label ?? "Chain of commits")}</text>
<text x="80" y="320" font-size="38" fill="${color}">${line(verdictOf(shown))}</text>
<text x="80" y="420" font-size="32">Agents: ${line(shown.agents.join(", ") || "none named")}</text>
<text x="80" y="480" font-size="32">Models: ${line(shown.models.join(", ") || "none named")}</text>
</g>
</svg>
`.text;
}
