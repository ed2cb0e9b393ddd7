import type { JsonObject } from "@darkmatter/core";
import { baseUrl, isLocalUrl, type Reach } from "@darkmatter/net";
import { isTaskWebhook, type LocalAnswers } from "../a2a/local-answers.ts";
import { isCaller } from "../a2a/token.ts";
import { callbackFor } from "../anchors/sealed-callback.ts";
import { speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { meshError } from "../errors.ts";
import type { Recovery } from "../healing/recovery.ts";
import type { Identity } from "../identity/identity.ts";
import { type PeerAnswer, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Channels } from "../transports/channels.ts";
import type { PeerRequest } from "../transports/transport.ts";
import { type WebhookTrust, webhookReach } from "./webhook.ts";

/** Where a webhook came from: what decides how far it may reach. */
export interface WebhookSource {
  readonly from: string;
  /** The message was verified and its sender is connected. */
  readonly connected: boolean;
  /** Who wrote the message, where that is known: a forwarded one comes from another, who is not to see its answer. */
  readonly author?: string;
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

/** What a callback stands on. */
export interface CallbackServices {
  readonly identity: Identity;
  readonly connections: Connections;
  readonly peers: Peers;
  readonly channels: Channels;
  readonly recovery: Recovery;
  readonly discovered: () => readonly string[];
  /** Answers in the place of callers that are no agents. */
  readonly local: LocalAnswers;
}

type Call = Omit<PeerRequest, "path">;

/** For a connected agent's webhook nothing else is asked. */
const FROM_CONNECTION: WebhookTrust = { fromConnection: true, selfIsLocal: false, origins: new Set() };

export function createCallbacks(
  ports: MeshPorts,
  { identity, connections, peers, channels, recovery, discovered, local }: CallbackServices,
): Callbacks {
  const { db, signer } = ports;
  const connectionOf = (agentId: string) => connections.get(db, agentId);

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

  /** At the URL the message carries, or where its author has moved to. */
  async function atUrl(webhook: string, source: WebhookSource, { method, body, timeoutMs }: Call) {
    const author = source.author ?? source.from;
    const callAt = async (url: string) => {
      const call = { url, timeoutMs, reach: await reachOf(url, source) };
      if (method === "GET") return peers.get(call);
      return peers.post(call, await callbackFor(ports, url, body ?? {}, connectionOf));
    };
    return recovery.recovering(webhook, author, callAt, async () => !(await connectionOf(author)));
  }

  /**
   * Over the channel to the message's author, where there is one: its URL may lead nowhere by now. `undefined` when it
   * was not answered so, or by somebody who knows of no such message.
   */
  async function overChannel(webhook: string, source: WebhookSource, request: Call) {
    const author = source.author ?? source.from;
    const session = channels.to(author);
    if (!session?.hasRoom) return undefined;
    const messageId = messageIdIn(webhook, author);
    if (messageId === undefined) return undefined;
    if (!speaks(await connections.get(db, author), "channel/1")) return undefined;
    const answer = await session.request({ ...request, path: `webhook/${messageId}` }).catch(() => undefined);
    return answer?.status === 404 ? undefined : answer;
  }

  async function call(webhook: string, source: WebhookSource, request: Call) {
    if (isTaskWebhook(webhook)) return locally(webhook, source, request);
    return (await overChannel(webhook, source, request)) ?? (await atUrl(webhook, source, request));
  }

  /** Only a message that this node took for a caller of its own is answered here. */
  async function locally(webhook: string, { from }: WebhookSource, { method, body }: Call) {
    if (!isCaller(from)) throw meshError("FORBIDDEN", "The message's webhook must not be called from here.");
    return method === "GET" ? local.ask(webhook) : local.post(webhook, { ...body } as JsonObject);
  }

  const post: Callbacks["post"] = (webhook, source, body, timeoutMs = TIMEOUT_MS.webhook) =>
    call(webhook, source, { method: "POST", body, timeoutMs });

  return {
    post,

    async received(webhook, source) {
      await post(webhook, source, { type: "received", agent_id: signer.agentId });
    },

    ask: (webhook, source) => call(webhook, source, { method: "GET", timeoutMs: TIMEOUT_MS.webhook }),
  };
}

const CALLBACK_PATH =
  /^\/__darkmatter__\/(?:webhook|webhook_relay\/([A-Za-z0-9_-]{1,128}))\/([A-Za-z0-9_-]{1,128})$/;

/** The message a webhook is about, where it is one of `author`'s or says nothing of whose it is. */
function messageIdIn(webhook: string, author: string): string | undefined {
  const [, owner = author, messageId] = CALLBACK_PATH.exec(URL.parse(webhook)?.pathname ?? "") ?? [];
  return owner === author ? messageId : undefined;
}
