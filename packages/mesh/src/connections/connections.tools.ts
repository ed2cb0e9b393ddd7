import type { JsonObject } from "@darkmatter/core";
import { urlSecurity } from "@darkmatter/net";
import { once } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, firstWords, PEER_WORDS, type Result } from "../answers.ts";
import { meshError } from "../errors.ts";
import { deleteInbox, readInboxFrom } from "../messages/messages.store.ts";
import type { Services } from "../services.ts";
import { shownLevel } from "../transports/shown-level.ts";
import { type Connection, meanResponseTimeMs } from "./connection.ts";
import { shownRequest } from "./requests.ts";

const ConnectionInput = z.object({
  action: z.enum(["request", "request_mutual", "accept", "reject", "disconnect", "block", "unblock"]),
  target_url: z.string().max(2048).optional().describe("For request: http://host:port of the other node."),
  request_id: z.string().max(128).optional().describe("For accept and reject: from list_pending_requests."),
  agent_id: z.string().max(128).optional().describe("For disconnect and block."),
});
type ConnectionInput = z.output<typeof ConnectionInput>;

/** How many words of a bio and of a note a list shows. */
const BIO_WORDS = 250;
const NOTE_WORDS = 500;

const NO_INPUT = z.object({});

export function connectionTools(services: Services): Tool[] {
  const { db, requests, connections, connectivity, impressions, ports } = services;

  return [
    tool({
      name: "darkmatter_connection",
      title: "Connect, accept, disconnect",
      description:
        "Use this to reach a new agent (action request, target_url), to decide about one that asked " +
        "(accept or reject, request_id), or to end it (disconnect or block, agent_id). " +
        "request_mutual asks the other side to connect back as well.",
      input: ConnectionInput,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
      visible: () => true,
      handle: (input, call) => answered(() => connectionAct(services, input, call.callId, call.signal)),
    }),

    tool({
      name: "darkmatter_list_connections",
      title: "Who I am connected to",
      description: "Use this to see whom you can message, how trusted and how responsive each is.",
      input: NO_INPUT,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      visible: () => true,
      handle: () =>
        answered(async () => {
          const all = await connections.all(db);
          const opinions = new Map((await impressions.all(db)).map((one) => [one.about, one]));
          const shown = all.map((connection) =>
            shownConnection(connection, opinions.get(connection.agentId)),
          );
          return {
            total: all.length,
            max_connections: ports.config.maxConnections,
            connections: shown,
            ...(all.length > 0 && { peer_words: PEER_WORDS }),
            ...(all.length === 0 && {
              next_step: "Find agents with darkmatter_discover_local, then request one.",
            }),
          };
        }),
    }),

    tool({
      name: "darkmatter_list_pending_requests",
      title: "Who wants to connect",
      description: "Use this when agents asked to connect, to decide about each with darkmatter_connection.",
      input: NO_INPUT,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      visible: () => true,
      handle: () =>
        answered(async () => {
          const pending = await requests.pending(db);
          return {
            total: pending.length,
            requests: pending.map((request) => ({
              ...shownRequest(request),
              crypto: request.proven,
              ...(request.peerTrust && { peer_trust: request.peerTrust }),
            })),
            reminder:
              "Accept or reject each with darkmatter_connection; unanswered requests expire after an hour.",
            ...(pending.length > 0 && { peer_words: PEER_WORDS }),
          };
        }),
    }),
  ];

  function shownConnection(
    connection: Connection,
    impression: { score: number; note: string } | undefined,
  ): JsonObject {
    return {
      agent_id: connection.agentId,
      display_name: connection.displayName,
      agent_url: connection.url,
      bio_summary: firstWords(connection.bio, BIO_WORDS),
      crypto: connection.publicKeyHex !== null,
      identity_verified: connection.identityVerified,
      tls_secure: urlSecurity(connection.url).secure,
      transport: connectivity.of(connection.agentId).way ?? "http",
      ...shownLevel(connectivity.of(connection.agentId)),
      connected_at: connection.connectedAt,
      messages_sent: connection.messagesSent,
      messages_received: connection.messagesReceived,
      messages_declined: connection.messagesDeclined,
      avg_response_time_ms: meanResponseTimeMs(connection),
      last_activity: connection.lastActivity,
      rate_limit: connection.rateLimit,
      ...(Object.keys(connection.wallets).length > 0 && { wallets: { ...connection.wallets } }),
      ...(impression && { score: impression.score, note: firstWords(impression.note, NOTE_WORDS) }),
    };
  }
}

async function connectionAct(
  services: Services,
  input: ConnectionInput,
  callId: string | undefined,
  signal: AbortSignal,
): Promise<Result> {
  const { action } = input;
  switch (action) {
    case "request":
    case "request_mutual":
      return requestAct(
        services,
        need(input.target_url, "target_url", action),
        action === "request_mutual",
        signal,
      );
    case "accept":
      return acceptRequest(services, need(input.request_id, "request_id", action), callId);
    case "reject":
      return rejectAct(services, need(input.request_id, "request_id", action), callId);
    case "disconnect":
      return disconnectAct(services, need(input.agent_id, "agent_id", action), callId);
    case "block":
    case "unblock":
      return blockAct(services, need(input.agent_id, "agent_id", action), action);
  }
}

function need(value: string | undefined, name: string, action: string): string {
  if (!value) throw meshError("BAD_REQUEST", `${name} is required for ${action}.`);
  return value;
}

async function requestAct(services: Services, targetUrl: string, mutual: boolean, signal: AbortSignal) {
  const outcome = await services.handshake.request(targetUrl, { mutual, signal });
  services.changed();
  if (outcome.kind === "connected") {
    return {
      success: true,
      status: "connected",
      agent_id: outcome.connection.agentId,
      agent_bio: outcome.connection.bio,
      next_step: "Say hello with darkmatter_send_message.",
      peer_words: PEER_WORDS,
    };
  }
  return {
    success: true,
    status: "pending",
    message: outcome.message,
    request_id: outcome.requestId,
    next_step: "The other agent decides. Look at darkmatter_list_connections later.",
  };
}

/** Accepts, tells the requester, and asks back when it wanted that. Shared by the tool and the local API. */
export async function acceptRequest(services: Services, requestId: string, callId: string | undefined) {
  const { db, requests, announcements, background } = services;
  const accepted = await db.write((tx) =>
    once(tx, callId, async () => {
      const { request } = await requests.accept(tx, requestId);
      await announcements.owe(tx, request.agentId, request.mutual);
      tx.afterCommit(services.changed);
      return { agentId: request.agentId, mutual: request.mutual };
    }),
  );
  background.start("connection.accepted", () => announcements.tell());
  return {
    success: true,
    accepted: true,
    agent_id: accepted.agentId,
    mutual: accepted.mutual,
    next_step: "Say hello with darkmatter_send_message.",
  };
}

async function rejectAct({ db, requests, changed }: Services, requestId: string, callId: string | undefined) {
  return db.write((tx) =>
    once(tx, callId, async () => {
      const request = await requests.reject(tx, requestId);
      tx.afterCommit(changed);
      return { success: true, accepted: false, agent_id: request.agentId };
    }),
  );
}

async function disconnectAct(services: Services, agentId: string, callId: string | undefined) {
  const { db, connections, farewell, changed } = services;
  const peer = await connections.get(db, agentId);
  return db.write((tx) =>
    once(tx, callId, async () => {
      if (!(await connections.close(tx, agentId, "asked by our agent"))) {
        throw meshError("NOT_CONNECTED", `Not connected to agent '${agentId.slice(0, 64)}'.`);
      }
      if (peer) tx.afterCommit(() => farewell(peer));
      tx.afterCommit(changed);
      return { success: true, disconnected_from: agentId };
    }),
  );
}

async function blockAct(
  { db, connections, giving, changed }: Services,
  agentId: string,
  action: "block" | "unblock",
) {
  return db.write(async (tx) => {
    if (action === "block") {
      await connections.block(tx, agentId);
      for (const message of await readInboxFrom(tx, agentId)) {
        await deleteInbox(tx, message.messageId);
        await giving.refuse(tx, message, "its sender was blocked");
      }
    } else if (!(await connections.unblock(tx, agentId)))
      throw meshError("NOT_FOUND", "That agent is not blocked.");
    tx.afterCommit(changed);
    return { success: true, agent_id: agentId, blocked: action === "block" };
  });
}
