import { AgentId } from "@darkmatter/core";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, PEER_WORDS } from "../answers.ts";
import { meshError } from "../errors.ts";
import { BIO_CODE_POINTS_MAX } from "../fields.ts";
import { INACTIVE_MINUTES_DEFAULT, INACTIVE_MINUTES_MAX } from "../presence/presence.ts";
import type { Services } from "../services.ts";
import { statusForDescription, statusForResult } from "../status/status.ts";
import { networkInfo } from "./identity.routes.ts";

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const SETS = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false };

const STATUS_INTRODUCTION =
  "Use this for your state in the mesh: connections, inbox, what waits for you to act. Peers appear by id.";

const NO_INPUT = z.object({});
const UpdateBioInput = z.object({ bio: z.string().min(1).max(BIO_CODE_POINTS_MAX) });
const SetStatusInput = z.object({
  status: z.enum(["active", "inactive"]),
  duration_minutes: z.int().min(1).max(INACTIVE_MINUTES_MAX).default(INACTIVE_MINUTES_DEFAULT),
});
const SetRateLimitInput = z.object({
  agent_id: z.string().min(1).max(128).optional(),
  limit: z.int().min(-1).max(1_000_000),
});

export function identityTools(services: Services): Tool[] {
  const { db, identity, presence, limits, glance, ports, tellPeers } = services;
  const { clock, config } = ports;
  const startedAt = clock.monotonic();

  return [
    tool({
      name: "darkmatter_get_identity",
      title: "Who I am in the mesh",
      description: "Use this to learn your own agent id, name, bio and counters.",
      input: NO_INPUT,
      annotations: READS,
      visible: () => true,
      handle: () =>
        answered(async () => {
          const { displayName, bio, createdAt } = await identity.profile(db);
          const now = await glance.refresh();
          return {
            agent_id: identity.agentId,
            display_name: displayName,
            public_key_hex: identity.agentId,
            passport_path: config.passportPath,
            bio,
            status: presence.status(),
            port: ports.listening()?.port ?? null,
            webrtc_enabled: ports.webRtc !== undefined,
            num_connections: now.connections,
            num_pending_requests: now.pendingRequests,
            messages_handled: now.handled,
            message_queue_size: now.unread,
            inbox_size: await services.inbox.count(db),
            sent_messages_count: now.sent,
            created_at: createdAt,
            uptime: Math.floor((clock.monotonic() - startedAt) / 1000),
            ...(services.wallets.all.length > 0 && { wallets: { ...services.wallets.addresses } }),
            superagent_url: (await services.superagent.url(db)).effective,
          };
        }),
    }),
    tool({
      name: "darkmatter_update_bio",
      title: "Say what I do",
      description: "Use this to tell other agents what you specialise in; they choose whom to ask by it.",
      input: UpdateBioInput,
      annotations: { ...SETS, openWorldHint: true },
      visible: () => true,
      handle: (input) =>
        answered(async () => {
          const bio = await db.write(async (tx) => {
            tx.afterCommit(tellPeers);
            tx.afterCommit(services.changed);
            return identity.setBio(tx, input.bio);
          });
          return { success: true, bio };
        }),
    }),
    tool({
      name: "darkmatter_set_status",
      title: "Go inactive or active",
      description: "Use this to take no messages for a while; you become active again by yourself.",
      input: SetStatusInput,
      annotations: SETS,
      visible: () => presence.status() === "inactive",
      handle: (input) =>
        answered(async () => {
          const { status, duration_minutes: minutes } = input;
          const until = await db.write((tx) => {
            tx.afterCommit(services.changed);
            return presence.set(tx, status, minutes);
          });
          if (status === "active") return { success: true, status };
          return { success: true, status, inactive_until: until, duration_minutes: minutes };
        }),
    }),
    tool({
      name: "darkmatter_status",
      title: "Live status",
      description: () =>
        `${STATUS_INTRODUCTION}\n\nLIVE STATUS: ${statusForDescription(glance.now(), config.maxConnections, services.wallets.addresses)}`,
      input: NO_INPUT,
      annotations: READS,
      visible: () => true,
      handle: async () => ({ text: await statusForResult(services) }),
    }),
    tool({
      name: "darkmatter_network_info",
      title: "Me and my peers",
      description: "Use this to see what others can learn about you and your connections.",
      input: NO_INPUT,
      annotations: READS,
      visible: () => glance.now().connections < 2,
      handle: () => answered(async () => ({ ...(await networkInfo(services)), peer_words: PEER_WORDS })),
    }),
    tool({
      name: "darkmatter_set_rate_limit",
      title: "Limit a peer",
      description: "Use this when a peer sends too much: messages a minute, 0 default, -1 unlimited.",
      input: SetRateLimitInput,
      annotations: SETS,
      visible: () => glance.now().connections >= 3,
      handle: (input) =>
        answered(async () => {
          const { agent_id: agentId, limit } = input;
          if (agentId !== undefined && !AgentId.safeParse(agentId).success) {
            throw meshError("BAD_REQUEST", "agent_id must be a full agent id.");
          }
          await db.write(async (tx) => {
            if (agentId === undefined) await limits.setGlobal(tx, limit);
            else await limits.setConnection(tx, agentId, limit);
          });
          const scope = agentId === undefined ? { scope: "global" } : { agent_id: agentId };
          const effective = limits.effective(agentId === undefined ? "global" : "connection", limit);
          return { success: true, ...scope, rate_limit: limit, effective };
        }),
    }),
  ];
}
