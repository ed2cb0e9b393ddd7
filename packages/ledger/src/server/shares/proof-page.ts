import { prefixed } from "@darkmatter/proof";
import { millisecondsTime } from "../../times.ts";
import { type Markup, markup } from "../pages/html.ts";
import type { Page } from "../pages/page.ts";
import { payloadTree } from "./payload-tree.ts";
import { verdictOf } from "./share-summary.ts";
import type { NumberedStep, Shown } from "./shared-chain.ts";

/** What a page says beside the steps. */
export interface ProofPageView {
  readonly heading: string;
  /** The page itself, without its query. */
  readonly url: string;
  /** The same in JSON. */
  readonly jsonUrl: string;
  /** A card for chats. */
  readonly cardUrl?: string;
  readonly expiresMs?: number | null;
  readonly views?: number;
}

/** A chain as people read it: verdict first, then every step with what it rests on. */
export function proofPage(shown: Shown, view: ProofPageView): Page {
  return {
    title: view.heading,
    head: view.cardUrl === undefined ? markup`` : cardHead(shown, view, view.cardUrl),
    body: markup`<h1><bdi>${view.heading}</bdi></h1>
<p class="${shown.isIntact ? "good" : "bad"}">${verdictOf(shown)}</p>
<dl>
<dt>Steps</dt><dd>${shown.totalSteps}</dd>
<dt>Agents</dt><dd>${names(shown.agents)}</dd>
<dt>Models</dt><dd>${names(shown.models)}</dd>
<dt>Forks</dt><dd>${shown.forks}</dd>
${view.expiresMs ? markup`<dt>Shown until</dt><dd>${millisecondsTime(view.expiresMs)}</dd>` : ""}
${view.views === undefined ? "" : markup`<dt>Seen</dt><dd>${view.views === 1 ? "once" : `${view.views} times`}</dd>`}
</dl>
<p class="quiet">The server recomputed every hash, link and place in the log for this page. To check without trusting it,
take the <a href="${view.jsonUrl}">JSON</a>, or ask the owner for an export and run <code>darkmatter verify FILE</code>.</p>
${shown.steps.map(stepOf)}
${shown.nextStep === null ? "" : markup`<p><a href="${view.url}?from=${shown.nextStep}">Go on with step ${shown.nextStep}</a></p>`}`,
  };
}

/** One answer for all that is not there, whatever the reason. */
export const NOTHING_HERE: Page = {
  title: "Nothing here",
  body: markup`<h1>Nothing here</h1><p>Either nothing has this address, or it is not shared.</p>`,
};

export const TIME_IS_OVER: Page = {
  title: "No longer shared",
  body: markup`<h1>No longer shared</h1><p>This share's time is over. Ask who made it for a new one.</p>`,
};

function cardHead(shown: Shown, { heading, url }: ProofPageView, cardUrl: string): Markup {
  return markup`<meta property="og:title" content="${heading}">
<meta property="og:description" content="${verdictOf(shown)}">
<meta property="og:type" content="article">
<meta property="og:url" content="${url}">
<meta property="og:image" content="${cardUrl}">
<meta name="twitter:card" content="summary_large_image">`;
}

const NAMES_MAX = 50;

function names(list: readonly string[]): Markup {
  if (list.length === 0) return markup`<span class="quiet">none named</span>`;
  const shown = list.slice(0, NAMES_MAX).map((name, at) => markup`${at === 0 ? "" : ", "}<bdi>${name}</bdi>`);
  return list.length > NAMES_MAX ? markup`${shown} and ${list.length - NAMES_MAX} more` : markup`${shown}`;
}

function stepOf({ number, step }: NumberedStep): Markup {
  const verdict =
    step.fault === null
      ? markup`<span class="good">holds</span>`
      : markup`<span class="bad">broken: ${step.fault.reason}</span>`;
  if (step.kind === "unreadable")
    return markup`<details open><summary>${number}. <code>${step.id}</code> ${verdict}</summary></details>
`;
  const { commit } = step;
  const fork =
    commit.forkOf === null ? "" : markup` <span class="quiet">fork of <code>${commit.forkOf}</code></span>`;
  return markup`<details class="${commit.forkOf === null ? "step" : "step fork"}"${number === 1 ? OPEN : ""}>
<summary>${number}. <bdi>${commit.agentName}</bdi> · ${commit.label ?? commit.event}${
    commit.model === null ? "" : markup` · <bdi>${commit.model}</bdi>`
  } · <code>${commit.id.slice(-8)}</code>${fork} ${verdict}</summary>
${payload(commit.payload)}
<dl>
<dt>Id</dt><dd><code>${commit.id}</code></dd>
<dt>Accepted</dt><dd>${millisecondsTime(commit.acceptedMs)}</dd>
<dt>Role</dt><dd><bdi>${commit.role ?? "-"}</bdi></dd>
<dt>Payload hash</dt><dd><code>${prefixed(commit.payloadHash)}</code></dd>
<dt>Integrity hash</dt><dd><code>${prefixed(commit.chainHash)}</code></dd>
<dt>Parent hash</dt><dd><code>${commit.parentChainHash === null ? "root" : prefixed(commit.parentChainHash)}</code></dd>
<dt>Place in the log</dt><dd>${commit.position}</dd>
</dl>
</details>
`;
}

const OPEN = markup` open`;

function payload(text: string | null): Markup {
  return text === null
    ? markup`<p class="quiet">The payload was pruned; its hash stays.</p>`
    : payloadTree(text);
}
