import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  type AgentCard,
  Role,
  type SendMessageRequest,
  type Task,
  verifyAgentCardSignature,
} from "@a2a-js/sdk";
import {
  type Client,
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from "@a2a-js/sdk/client";

export type Binding = "JSONRPC" | "HTTP+JSON";

/** The official client, with a token, from the card's address alone. */
export async function officialClient(
  url: string,
  token: string,
  binding: Binding = "JSONRPC",
): Promise<Client> {
  const fetchImpl: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set("authorization", `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl }), new RestTransportFactory({ fetchImpl })],
    preferredTransports: [binding],
    cardResolver: new DefaultAgentCardResolver(),
  });
  return factory.createFromUrl(url);
}

/**
 * The card at an address, once the official helper found it signed by the key that is the agent's id.
 * @NOTE as it came: what the client's resolver makes of a card has lost its security schemes when it is canonicalized.
 */
export async function verifiedCard(url: string, agentId: string): Promise<AgentCard> {
  const card = (await (await fetch(`${url}/.well-known/agent-card.json`)).json()) as AgentCard;
  const verify = verifyAgentCardSignature(async (kid) => {
    assert.equal(kid, agentId);
    return { kty: "OKP", crv: "Ed25519", alg: "EdDSA", x: Buffer.from(agentId, "hex").toString("base64url") };
  });
  await verify(card);
  return card;
}

/** A request to leave a text. */
export function leaving(
  text: string,
  options: { wait?: boolean; contextId?: string } = {},
): SendMessageRequest {
  const content = { $case: "text", value: text } as const;
  return {
    tenant: "",
    message: {
      messageId: randomUUID(),
      contextId: options.contextId ?? "",
      taskId: "",
      role: Role.ROLE_USER,
      parts: [{ content, metadata: undefined, filename: "", mediaType: "text/plain" }],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: {
      acceptedOutputModes: ["text/plain"],
      taskPushNotificationConfig: undefined,
      returnImmediately: options.wait !== true,
    },
    metadata: undefined,
  };
}

/** Leaves a text; the task that it began. */
export async function leave(client: Client, text: string, options: { wait?: boolean } = {}): Promise<Task> {
  const result = await client.sendMessage(leaving(text, options));
  assert.ok("status" in result, "a task was expected");
  return result;
}

/** What a task was answered. */
export const answersOf = ({ artifacts }: Pick<Task, "artifacts">): string[] =>
  artifacts.flatMap(({ parts }) =>
    parts.map(({ content }) => (content?.$case === "text" ? content.value : "")),
  );
