import { isoTime, type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { give, type TestNode } from "@darkmatter/mesh/testing";

/** A node as the vectors describe it before the first step. */
export interface Setup {
  readonly node: {
    readonly private_key_hex: string;
    readonly agent_id: string;
    readonly display_name: string;
    readonly bio: string;
    readonly created_at: string;
    readonly public_url: string;
    readonly anchors?: readonly string[];
  };
  readonly connections: readonly JsonObject[];
  readonly impressions: JsonObject;
  readonly status?: string;
  readonly anchors?: readonly string[];
  readonly nat_detected?: boolean;
  readonly pools?: Json;
  readonly pending_requests?: Readonly<Record<string, JsonObject>>;
  /** Base URL to agent id. */
  readonly pending_outbound?: Readonly<Record<string, string | null>>;
  readonly sent_messages?: Readonly<Record<string, JsonObject>>;
  readonly message_queue?: readonly JsonObject[];
}

/** Brings a node into the state before the first step: by its own state file, and its own routes. */
export async function furnish(node: TestNode, setup: Setup, nowMs: number): Promise<void> {
  const { agent_id, display_name, bio, created_at } = setup.node;
  const byId = setup.connections.map((one) => [String(one.agent_id), { addresses: {}, ...one }]);
  const sent = Object.entries(setup.sent_messages ?? {}).map(([id, one]) => [id, { message_id: id, ...one }]);
  const file = {
    agent_id,
    display_name,
    bio,
    created_at,
    connections: Object.fromEntries(byId),
    impressions: setup.impressions,
    sent_messages: Object.fromEntries(sent),
    pools: setup.pools ?? [],
  };
  await node.db.write((tx) => node.mesh.stateFiles.load(tx, JSON.stringify(file)));
  await give(node.db, {
    pendingRequests: Object.entries(setup.pending_requests ?? {}).map(([id, one]) => pending(id, one, nowMs)),
    outboundRequests: Object.entries(setup.pending_outbound ?? {}).map(([baseUrl, agentId]) => ({
      baseUrl,
      agentId,
      requestedAtMs: nowMs,
    })),
    inbox: (setup.message_queue ?? []).map((one) => queued(one, nowMs)),
  });
  if (setup.status === "inactive") {
    const path = "/__darkmatter__/config";
    await node.local({ method: "POST", path, body: { status: setup.status } });
  }
}

function pending(requestId: string, request: JsonObject, nowMs: number) {
  const text = (name: string) => (typeof request[name] === "string" ? request[name] : null);
  return {
    requestId,
    agentId: text("from_agent_id") ?? "",
    url: text("from_agent_url") ?? "",
    bio: text("from_agent_bio") ?? "",
    displayName: text("from_agent_display_name"),
    publicKeyHex: text("from_agent_public_key_hex"),
    wallets: (request.wallets ?? {}) as Record<string, string>,
    createdAt: text("created_at"),
    features: [],
    mutual: request.mutual === true,
    requestedAtMs: nowMs,
    challenge: null,
    proven: false,
    peerTrust: null,
  };
}

function queued(message: JsonObject, nowMs: number) {
  return {
    messageId: String(message.message_id),
    content: String(message.content),
    webhook: String(message.webhook),
    hopsRemaining: Number(message.hops_remaining),
    metadata: (message.metadata ?? {}) as JsonObject,
    from: String(message.from_agent_id),
    verified: message.verified === true,
    receivedAtMs: parseTime(String(message.received_at ?? isoTime(nowMs))) ?? nowMs,
    read: false,
  };
}
