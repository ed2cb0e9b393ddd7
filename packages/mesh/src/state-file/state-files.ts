import { isAdmissibleKey, type Json, type JsonObject, parseTime, sha256Hex } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { appendLog, LOG_ENTRIES_MAX, readLog } from "../antimatter/antimatter.store.ts";
import type { Connection } from "../connections/connection.ts";
import { insertConnection, readConnection, readConnections } from "../connections/connections.store.ts";
import { readEntries } from "../conversation/conversation.store.ts";
import { remember } from "../conversation/conversation.ts";
import { CONVERSATION_ENTRIES_MAX } from "../conversation/entry.ts";
import { readSetting, writeSetting } from "../identity/identity.store.ts";
import type { Identity } from "../identity/identity.ts";
import { readImpressions, writeImpression } from "../impressions/impressions.store.ts";
import { readTally, setHandled } from "../messages/messages.store.ts";
import { liveIds, rememberLive } from "../messages/seen.ts";
import { insertSent, readSent, readSentAll } from "../messages/sent.store.ts";
import { loadPools, shownPools } from "../pools/pools.state.ts";
import type { MeshPorts } from "../ports.ts";
import { readRules, saveRule } from "../router/router.store.ts";
import { loadShards, shownShards } from "../shards/shards.state.ts";
import type { Response, Update } from "../webhooks/webhook.ts";
import { insertResponse, insertUpdate, readResponses, readUpdates } from "../webhooks/webhooks.store.ts";
import {
  addressesOf,
  parseStateFile,
  responsesOf,
  type StateConnection,
  type StateFile,
  type StateSent,
  stateText,
  walletsOf,
} from "./state-file.ts";

/** Moving between the database and the JSON state file of the first generation (mesh.md 16). */
export interface StateFiles {
  /** Whether the file was taken over, or skipped, before: it is read once. */
  wasRead(tx: Read): Promise<boolean>;
  /** Takes over what a state file holds. Throws STATE_FILE for one that cannot be used, and changes nothing. */
  load(tx: Write, source: string): Promise<void>;
  /** Notes that there is no file to read, or that it is left out. */
  skip(tx: Write): Promise<void>;
  /** The state as the text of such a file. */
  write(tx: Read): Promise<string>;
}

export function createStateFiles({ signer, clock, listening }: MeshPorts, identity: Identity): StateFiles {
  const markRead = (tx: Write) => writeSetting(tx, "state_file_read", "yes");

  return {
    async wasRead(tx) {
      return (await readSetting(tx, "state_file_read")) !== undefined;
    },

    skip: markRead,

    async load(tx, source) {
      const file = parseStateFile(source, signer.agentId);
      await loadProfile(tx, file);
      for (const connection of file.connections) await loadConnection(tx, connection, signer.agentId);
      for (const sent of file.sent) await loadSent(tx, sent);
      for (const [about, { score, note, negative_since: since }] of Object.entries(file.impressions)) {
        await writeImpression(tx, { about, score, note, negativeSince: since ?? null });
      }
      for (const entry of file.conversation.slice(-CONVERSATION_ENTRIES_MAX)) {
        await remember(tx, {
          messageId: entry.message_id,
          content: entry.content,
          from: entry.from_agent_id,
          to: entry.to_agent_ids,
          at: entry.timestamp,
          entryType: entry.entry_type,
          direction: entry.direction,
          trust: entry.trust_at_time,
          metadata: entry.metadata as JsonObject,
        });
      }
      for (const rule of file.rules) await saveRule(tx, rule);
      await loadShards(tx, file.shards, signer.agentId);
      await loadPools(tx, file.pools);
      for (const entry of file.fees.slice(-LOG_ENTRIES_MAX)) await appendLog(tx, entry);
      for (const [id, seconds] of Object.entries(file.seen)) {
        const seenAtMs = Math.trunc(seconds * 1000);
        if (Number.isSafeInteger(seenAtMs)) await rememberLive(tx, id, seenAtMs);
      }
      await markRead(tx);
    },

    async write(tx) {
      const { bio, displayName, createdAt } = await identity.profile(tx);
      const rest = JSON.parse((await readSetting(tx, "state_file_rest")) ?? "{}") as JsonObject;
      const live = await liveIds(tx, clock.now());
      return stateText({
        agent_id: signer.agentId,
        bio,
        status: (await readSetting(tx, "status")) ?? "active",
        port: listening()?.port ?? null,
        created_at: createdAt,
        messages_handled: (await readTally(tx)).handled,
        public_key_hex: signer.agentId,
        display_name: displayName,
        connections: Object.fromEntries(
          (await readConnections(tx)).map((one) => [one.agentId, shownConnection(one)]),
        ),
        sent_messages: await shownSent(tx),
        impressions: await shownImpressions(tx),
        inactive_until: (await readSetting(tx, "inactive_until")) ?? null,
        rate_limit_global: Number((await readSetting(tx, "rate_limit_global")) ?? 0),
        superagent_url: (await readSetting(tx, "superagent_url")) ?? null,
        ...rest,
        routing_rules: (await readRules(tx)) as unknown as Json,
        pools: await shownPools(tx),
        gas_log: await readLog(tx),
        conversation_log: await shownConversation(tx),
        shared_shards: await shownShards(tx),
        seen_message_ids: Object.fromEntries(live.map(({ id, seenAtMs }) => [id, seenAtMs / 1000])),
        // Both seeds call the inbox ephemeral; ours lies in the database (mesh.md 16).
        message_queue: [],
      });
    },
  };
}

async function loadProfile(tx: Write, file: StateFile): Promise<void> {
  if (file.bio !== undefined) await writeSetting(tx, "bio", file.bio);
  if (file.createdAt !== undefined) await writeSetting(tx, "created_at", file.createdAt);
  if (file.displayName !== undefined) await writeSetting(tx, "display_name", file.displayName);
  if (file.rateLimitGlobal !== 0) await writeSetting(tx, "rate_limit_global", String(file.rateLimitGlobal));
  if (file.superagentUrl !== null) await writeSetting(tx, "superagent_url", file.superagentUrl);
  await writeSetting(tx, "state_file_rest", JSON.stringify(file.rest));
  await setHandled(tx, file.messagesHandled);
}

/** A connection whose id is no key cannot be talked to safely and is left out (S1). */
async function loadConnection(tx: Write, connection: StateConnection, self: string): Promise<void> {
  const { agent_id: agentId, agent_public_key_hex: key } = connection;
  if (!isAdmissibleKey(agentId) || agentId === self || (await readConnection(tx, agentId))) return;
  await insertConnection(tx, {
    agentId,
    url: connection.agent_url,
    bio: connection.agent_bio,
    displayName: connection.agent_display_name ?? null,
    publicKeyHex: key === agentId ? key : null,
    wallets: walletsOf(connection),
    addresses: addressesOf(connection),
    peerCreatedAt: connection.peer_created_at ?? null,
    connectedAt: connection.connected_at ?? "",
    lastActivity: connection.last_activity ?? null,
    messagesSent: connection.messages_sent,
    messagesReceived: connection.messages_received,
    messagesDeclined: connection.messages_declined,
    totalResponseTimeMs: connection.total_response_time_ms,
    rateLimit: connection.rate_limit,
    identityVerified: connection.identity_verified,
    features: connection.features,
    lanUrl: null,
  });
}

async function loadSent(tx: Write, sent: StateSent): Promise<void> {
  const messageId = sent.message_id;
  if (parseTime(sent.created_at) === undefined || (await readSent(tx, messageId))) return;
  await insertSent(tx, {
    messageId,
    content: sent.content,
    status: sent.status,
    initialHops: sent.initial_hops,
    targets: sent.routed_to,
    routedTo: sent.routed_to,
    createdAt: sent.created_at,
    webhook: "",
    metadata: {},
    copies: {},
  });
  for (const update of sent.updates) await insertUpdate(tx, messageId, update as unknown as Update);
  for (const response of responsesOf(sent)) {
    await insertResponse(tx, messageId, sha256Hex(JSON.stringify(response)), response as unknown as Response);
  }
}

function shownConnection(connection: Connection): JsonObject {
  return {
    agent_id: connection.agentId,
    agent_url: connection.url,
    agent_bio: connection.bio,
    connected_at: connection.connectedAt,
    messages_sent: connection.messagesSent,
    messages_received: connection.messagesReceived,
    messages_declined: connection.messagesDeclined,
    total_response_time_ms: connection.totalResponseTimeMs,
    last_activity: connection.lastActivity,
    agent_public_key_hex: connection.publicKeyHex,
    agent_display_name: connection.displayName,
    wallets: { ...connection.wallets },
    addresses: { ...connection.addresses },
    rate_limit: connection.rateLimit,
    peer_created_at: connection.peerCreatedAt,
    identity_verified: connection.identityVerified,
    tls_secure: connection.url.startsWith("https:"),
    ...(connection.features.length > 0 && { features: [...connection.features] }),
  };
}

async function shownSent(tx: Read): Promise<JsonObject> {
  const shown: JsonObject = {};
  for (const sent of await readSentAll(tx)) {
    shown[sent.messageId] = {
      message_id: sent.messageId,
      content: sent.content,
      status: sent.status,
      initial_hops: sent.initialHops,
      routed_to: [...sent.routedTo],
      created_at: sent.createdAt,
      updates: (await readUpdates(tx, sent.messageId)) as unknown as Json,
      responses: (await readResponses(tx, sent.messageId)) as unknown as Json,
    };
  }
  return shown;
}

async function shownImpressions(tx: Read): Promise<JsonObject> {
  const all = await readImpressions(tx);
  return Object.fromEntries(
    all.map(({ about, score, note, negativeSince }) => [
      about,
      { score, note, negative_since: negativeSince },
    ]),
  );
}

async function shownConversation(tx: Read): Promise<JsonObject[]> {
  return (await readEntries(tx, CONVERSATION_ENTRIES_MAX)).map((entry) => ({
    message_id: entry.messageId,
    content: entry.content,
    from_agent_id: entry.from,
    to_agent_ids: [...entry.to],
    timestamp: entry.at,
    entry_type: entry.entryType,
    direction: entry.direction,
    trust_at_time: entry.trust,
    metadata: entry.metadata,
  }));
}
