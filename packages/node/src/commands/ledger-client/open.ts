import type { CommandInput } from "@darkmatter/surface";
import { openBrowser } from "../../adapters/browser.ts";
import { confirmed } from "../../adapters/confirm.ts";
import { clientError } from "../../ledger-client/errors.ts";
import type { AtServer } from "./at-server.ts";

/** Asks before what publishes a chain. @throws NOT_CONFIRMED also where nobody can be asked and --yes is not said */
export async function agreeToPublish({ options, out }: CommandInput, commit: string): Promise<void> {
  if (options.yes === true) return;
  out.line(`Whoever has the link will see ${commit} and all the steps before it, payloads included.`);
  await confirmed("Publish them?");
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
