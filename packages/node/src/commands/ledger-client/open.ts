import type { CommandInput } from "@darkmatter/surface";
import { openBrowser } from "../../adapters/browser.ts";
import { confirmed } from "../../adapters/confirm.ts";
import { clientError } from "../../ledger-client/errors.ts";
import type { AtServer } from "./at-server.ts";

/** Publishes a chain, once its owner agreed, and shows it in the browser where there is one. The page's URL. */
export async function openShared(input: CommandInput, { client }: AtServer, commit: string): Promise<string> {
  if (input.options.yes !== true) {
    input.out.line(`Whoever has the link will see ${commit} and all the steps before it, payloads included.`);
    await confirmed("Publish them?");
  }
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
