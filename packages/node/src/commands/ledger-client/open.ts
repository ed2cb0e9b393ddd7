import type { CommandInput } from "@darkmatter/surface";
import { openBrowser } from "../../adapters/browser.ts";
import { confirmed } from "../../adapters/confirm.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { brief } from "../context.ts";
import type { AtServer } from "./at-server.ts";
import { brokenChainText } from "./broken-text.ts";
import type { NamedCommit } from "./naming.ts";
import { firstWords } from "./passport-text.ts";

/** What is to be published, and how it is asked for. */
interface ToPublish {
  readonly commit: NamedCommit;
  /** What its link will show, where that is not the commit itself. */
  readonly what?: string;
  /** A whole id was said, and for nothing but to publish it: only what is wrong with it is asked about. */
  readonly isMeant?: boolean;
}

/**
 * Looks at a chain and asks before it is published.
 * @returns what its page will say of it, where it does not verify
 * @throws NOT_ON_SERVER before anybody is asked; NOT_CONFIRMED also where nobody can be asked and --yes is not said
 */
export async function agreeToPublish(
  { options, out }: CommandInput,
  { client, progress }: AtServer,
  { commit: { id, byNumber }, what = id, isMeant = false }: ToPublish,
): Promise<string | undefined> {
  progress("the server checks the chain");
  const found = await client.verify(id);
  const warning = found.chain_intact ? undefined : `${brokenChainText(found)}. Its page will say so.`;
  if (options.yes === true || (isMeant && warning === undefined)) return warning;
  out.line(
    `Whoever has the link will see ${brief(what, 80)} and all the steps before it, payloads included.`,
  );
  if (byNumber) out.line(`  ${firstWords(byNumber)}`);
  if (warning !== undefined) out.line(warning);
  await confirmed(`Publish ${brief(id, 40)}?`);
  return warning;
}

/** Publishes a chain, and shows it in the browser where there is one. The page's URL. */
export async function publish(input: CommandInput, { client }: AtServer, commit: string): Promise<string> {
  const { shareUrl } = await client.share(commit, {});
  const url = pageUrl(shareUrl);
  if (!input.json) openBrowser(url);
  return url;
}

/** A server's word is handed to another program: only an http(s) URL is. @throws SERVER_STRANGE */
export function pageUrl(given: string): string {
  const url = URL.parse(given);
  if (url && /^https?:$/.test(url.protocol)) return url.href;
  throw clientError("SERVER_STRANGE", "The server names a page that is no http(s) URL.");
}
