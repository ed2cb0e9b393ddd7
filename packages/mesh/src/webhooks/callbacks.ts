import { baseUrl, isLocalUrl, type Reach } from "@darkmatter/net";
import type { Connections } from "../connections/connections.ts";
import { meshError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import { type PeerAnswer, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { type WebhookTrust, webhookReach } from "./webhook.ts";

/** Where a webhook came from: what decides how far it may reach. */
export interface WebhookSource {
  readonly from: string;
  /** The message was verified and its sender is connected. */
  readonly connected: boolean;
}

/** Calls to the webhooks that messages carry. Every one passes the rules of mesh.md 7.3. */
export interface Callbacks {
  /** Tells a sender that its message is on our disk. */
  received(webhook: string, source: WebhookSource): Promise<void>;
  /** Asks what became of a message elsewhere. */
  ask(webhook: string, source: WebhookSource): Promise<PeerAnswer>;
  /** Throws FORBIDDEN for a webhook that must not be called, and what the wire throws. */
  post(webhook: string, source: WebhookSource, body: object, timeoutMs?: number): Promise<PeerAnswer>;
}

/** For a connected agent's webhook nothing else is asked. */
const FROM_CONNECTION: WebhookTrust = { fromConnection: true, selfIsLocal: false, origins: new Set() };

export function createCallbacks(
  { db, signer }: MeshPorts,
  identity: Identity,
  connections: Connections,
  peers: Peers,
  discovered: () => readonly string[],
): Callbacks {
  async function reachOf(webhook: string, source: WebhookSource): Promise<Reach> {
    const reach = source.connected ? webhookReach(webhook, FROM_CONNECTION) : await strangersReach(webhook);
    if (!reach) throw meshError("FORBIDDEN", "The message's webhook must not be called from here.");
    return reach;
  }

  async function strangersReach(webhook: string): Promise<Reach | undefined> {
    const base = identity.base();
    const trust = { fromConnection: false, selfIsLocal: isLocalUrl(base), origins: new Set<string>() };
    return webhookReach(webhook, trust) ?? webhookReach(webhook, { ...trust, origins: await origins(base) });
  }

  async function origins(base: string): Promise<Set<string>> {
    const urls = [base, ...discovered(), ...(await connections.all(db)).map(({ url }) => baseUrl(url))];
    return new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin));
  }

  async function post(
    webhook: string,
    source: WebhookSource,
    body: object,
    timeoutMs: number = TIMEOUT_MS.webhook,
  ) {
    return peers.post({ url: webhook, timeoutMs, reach: await reachOf(webhook, source) }, body);
  }

  return {
    post,

    async received(webhook, source) {
      await post(webhook, source, { type: "received", agent_id: signer.agentId });
    },

    async ask(webhook, source) {
      return peers.get({
        url: webhook,
        timeoutMs: TIMEOUT_MS.webhook,
        reach: await reachOf(webhook, source),
      });
    },
  };
}
