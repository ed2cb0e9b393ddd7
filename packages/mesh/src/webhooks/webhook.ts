import type { Json, JsonObject } from "@darkmatter/core";
import { bareHost, baseUrl, classOfLiteral, isLocalUrl, parseUrl, type Reach } from "@darkmatter/net";
import { shownMetadata } from "../answers.ts";

export const UPDATES_MAX = 200;
export const RESPONSES_MAX = 50;
export const NOTE_BYTES_MAX = 8 * 1024;

/** What a holder of a message tells its sender, as stored and shown; the time is ours (mesh.md 5.3). */
export type Update =
  | { readonly type: "received" | "responding"; readonly agent_id: string; readonly timestamp: string }
  | {
      readonly type: "forwarded";
      readonly agent_id: string;
      readonly target_agent_id: string;
      readonly note: string | null;
      readonly timestamp: string;
    }
  | {
      readonly type: "expired";
      readonly agent_id: string;
      readonly note: string | null;
      readonly timestamp: string;
    };

export interface Response {
  readonly agent_id: string;
  readonly response: string;
  readonly metadata: Json;
  readonly timestamp: string;
}

/** Answers as a result shows them: what was attached only when it is short. State files may hold none. */
export function shownResponses(responses: readonly Response[]): JsonObject[] {
  return responses.map((response) => ({ ...response, metadata: shownMetadata(response.metadata ?? {}) }));
}

const WEBHOOK_PATH =
  /^(\/__darkmatter__\/(webhook\/[A-Za-z0-9_-]{1,128}|webhook_relay\/[A-Za-z0-9_-]{1,128}\/[A-Za-z0-9_-]{1,128}|antimatter_result))$/;

/** What makes a private address a fair place for a webhook (mesh.md 7.3). */
export interface WebhookTrust {
  /** The message carrying it is verified and from a connected agent. */
  readonly fromConnection: boolean;
  /** Our own URL is local, so only local callers exist. */
  readonly selfIsLocal: boolean;
  /** Origins we know: our own, connections, discovered peers. */
  readonly origins: ReadonlySet<string>;
}

/**
 * How far a call to a webhook may reach, or `undefined` when it must not be called at all.
 * A host name is decided when it is resolved: under reach `public` a private address is refused then.
 */
export function webhookReach(url: string, trust: WebhookTrust): Reach | undefined {
  const parsed = parseUrl(url);
  return typeof parsed === "string" ? undefined : reachOf(parsed, url, trust);
}

function reachOf(
  { origin, hostname, pathname, search, hash }: URL,
  url: string,
  trust: WebhookTrust,
): Reach | undefined {
  if (classOfLiteral(bareHost(hostname)) === "forbidden") return undefined;
  const exact = search === "" && hash === "" && WEBHOOK_PATH.test(pathname);
  if (exact && (trust.fromConnection || trust.selfIsLocal || trust.origins.has(origin))) return "private";
  return isLocalUrl(url) ? undefined : "public";
}

/** What a receiver takes for granted before it knows the sender. */
const ANY_TRUST: WebhookTrust = { fromConnection: true, selfIsLocal: true, origins: new Set() };

/** What a receiver can say about a webhook before it knows the sender: an error text, or `undefined`. */
export function validateWebhook(url: string): string | undefined {
  const parsed = parseUrl(url);
  if (typeof parsed === "string") return `Invalid webhook: ${parsed}`;
  return reachOf(parsed, url, ANY_TRUST)
    ? undefined
    : "Invalid webhook: it must not target a private or link-local address.";
}

/** Where replies to a message of ours go (mesh.md 7.2). */
export function webhookUrl(base: string, messageId: string): string {
  return `${baseUrl(base)}/__darkmatter__/webhook/${messageId}`;
}
