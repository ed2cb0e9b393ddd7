import assert from "node:assert/strict";
import type { Answer } from "../agents.ts";

/** What a tool's result must hold, by key: a type, a value, or a look of its own. A `?` behind a key lets it be absent. */
export type Shape = Readonly<Record<string, string | RegExp | ((value: Answer) => boolean)>>;

/** What the tools must answer (mesh.md 15), by the tool's name without its prefix. */
export const ANSWERS: Readonly<Record<string, Shape>> = {
  "connection request": { success: isTrue, status: /^(connected|pending)$/ },
  "connection accept": { success: isTrue, accepted: isTrue, agent_id: /^[0-9a-f]{64}$/ },
  "connection reject": { success: isTrue, accepted: (value) => value === false, agent_id: /^[0-9a-f]{64}$/ },
  "connection disconnect": { success: isTrue, disconnected_from: /^[0-9a-f]{64}$/ },
  list_connections: {
    total: "number",
    max_connections: "number",
    connections: isListOf({
      agent_id: /^[0-9a-f]{64}$/,
      display_name: "string",
      agent_url: "string",
      bio_summary: "string",
      crypto: "boolean",
      identity_verified: "boolean",
      tls_secure: "boolean",
      transport: "string",
      connectivity_level: "number",
      connectivity_method: "string",
      connected_at: "string",
      messages_sent: "number",
      messages_received: "number",
      messages_declined: "number",
      avg_response_time_ms: "number",
      rate_limit: "number",
      "wallets?": "object",
      "score?": "number",
      "note?": "string",
    }),
  },
  list_pending_requests: {
    total: "number",
    requests: isListOf({
      request_id: /^req-/,
      from_agent_id: /^[0-9a-f]{64}$/,
      from_agent_display_name: "string",
      from_agent_url: "string",
      from_agent_bio: "string",
      crypto: "boolean",
      requested_at: "string",
    }),
    reminder: "string",
  },
  "send_message new": {
    success: isTrue,
    message_id: /^msg-[0-9a-f]{12}$/,
    routed_to: "array",
    hops_remaining: "number",
    webhook: "string",
  },
  "send_message forward": {
    success: isTrue,
    message_id: "string",
    hops_remaining_for_targets: "number",
    results: isListOf({ agent_id: "string", success: "boolean" }),
  },
  "send_message reply": {
    success: isTrue,
    message_id: "string",
    webhook_called: "string",
    response_time_ms: "number",
    error: (value) => value === null,
  },
  respond_message: {
    success: isTrue,
    message_id: "string",
    webhook_called: "string",
    response_time_ms: "number",
    error: (value) => value === null,
  },
  list_inbox: {
    total: "number",
    messages: isListOf({
      message_id: "string",
      content: "string",
      webhook: "string",
      hops_remaining: "number",
      can_forward: "boolean",
      from_agent_id: "string",
      verified: "boolean",
      metadata: "object",
      received_at: "string",
    }),
  },
  get_message: {
    message_id: "string",
    content: "string",
    webhook: "string",
    hops_remaining: "number",
    can_forward: "boolean",
    from_agent_id: "string",
    verified: isTrue,
    metadata: "object",
    received_at: "string",
  },
  list_messages: {
    total: "number",
    messages: isListOf({
      message_id: "string",
      content: "string",
      status: /^(active|responded|expired)$/,
      initial_hops: "number",
      forwarding_count: "number",
      updates_count: "number",
      created_at: "string",
    }),
  },
  get_sent_message: {
    message_id: "string",
    content: "string",
    status: "string",
    initial_hops: "number",
    forwarding_count: "number",
    updates_count: "number",
    created_at: "string",
    routed_to: "array",
    updates: "array",
    responses: "array",
  },
  expire_message: { success: isTrue, message_id: "string", status: /^expired$/ },
  wait_for_response: {
    success: isTrue,
    message_id: "string",
    status: "string",
    responses: isListOf({ agent_id: "string", response: "string" }),
  },
  get_identity: {
    agent_id: /^[0-9a-f]{64}$/,
    display_name: "string",
    public_key_hex: /^[0-9a-f]{64}$/,
    passport_path: "string",
    bio: "string",
    status: /^active$/,
    port: "number",
    num_connections: "number",
    num_pending_requests: "number",
    messages_handled: "number",
    message_queue_size: "number",
    sent_messages_count: "number",
    created_at: "string",
    uptime: isThere,
    wallets: "object",
    superagent_url: (value) => value === null || typeof value === "string",
  },
  update_bio: { success: isTrue, bio: "string" },
  set_status: { success: isTrue, status: /^(active|inactive)$/ },
  network_info: {
    agent_id: /^[0-9a-f]{64}$/,
    display_name: "string",
    public_key_hex: "string",
    agent_url: "string",
    bio: "string",
    accepting_connections: "boolean",
    wallets: "object",
    peers: isListOf({ agent_id: "string", agent_url: "string", agent_bio: "string" }),
  },
  discover_local: { discovery_enabled: "boolean", total: "number", peers: "array" },
  discover_domain: { found: "boolean" },
  set_impression: {
    success: isTrue,
    agent_id: "string",
    action: /^(created|updated|deleted)$/,
    score: "number",
    note: "string",
  },
  get_impression: { agent_id: "string", has_impression: isTrue, score: "number", note: "string" },
  ask_impression: {
    success: isTrue,
    asked: "string",
    about: "string",
    has_impression: "boolean",
    "score?": "number",
  },
  create_shard: {
    success: isTrue,
    shard_id: /^shard-[0-9a-f]{12}$/,
    tags: "array",
    trust_threshold: "number",
    pushed_to: isThere,
  },
  view_shards: {
    success: isTrue,
    count: "number",
    shards: isListOf({
      shard_id: "string",
      author: "string",
      tags: "array",
      trust_threshold: "number",
      created_at: "string",
      updated_at: "string",
    }),
  },
  wallet_balances: {
    success: isTrue,
    wallets: isListOf({
      chain: /^solana$/,
      address: "string",
      balance: isThere,
      unit: "string",
    }),
  },
  wallet_send: {
    success: isTrue,
    tx_signature: "string",
    amount: isThere,
    from_wallet: "string",
    to_wallet: "string",
    to_agent_id: "string",
  },
  send_sol: {
    success: isTrue,
    tx_signature: "string",
    amount: isThere,
    from_wallet: "string",
    to_wallet: "string",
    to_agent_id: "string",
    notification_sent: "boolean",
  },
  send_token: {
    success: isTrue,
    tx_signature: "string",
    token_mint: "string",
    decimals: "number",
    created_recipient_ata: "boolean",
  },
  get_balance: { success: isTrue, token: "string", balance: isThere, wallet_address: "string" },
  set_superagent: {
    success: isTrue,
    superagent_url: isThere,
    effective_url: isThere,
    reset_to_default: "boolean",
  },
  set_rate_limit: { success: isTrue, rate_limit: "number", effective: "string" },
  get_server_template: {
    template_from: "string",
    server_source: isThere,
    bootstrap_instructions: "object",
    core_primitives: "array",
    compatibility_note: "string",
  },
};

function isTrue(value: Answer): boolean {
  return value === true;
}

function isThere(value: Answer): boolean {
  return value !== undefined;
}

function isListOf(shape: Shape): (value: Answer) => boolean {
  return (value) => {
    assert.ok(Array.isArray(value), "is a list");
    for (const one of value) checkShape(one, shape);
    return true;
  };
}

/** @throws naming the key that is not as it must be */
export function checkShape(value: Answer, shape: Shape): void {
  for (const [marked, wanted] of Object.entries(shape)) {
    const key = marked.replace(/\?$/, "");
    const found = value?.[key];
    if (found === undefined && key !== marked) continue;
    assert.ok(
      isAs(found, wanted),
      `${key} is ${JSON.stringify(found)} in ${JSON.stringify(value).slice(0, 600)}`,
    );
  }
}

function isAs(value: Answer, wanted: Shape[string]): boolean {
  if (typeof wanted === "function") return wanted(value);
  if (wanted instanceof RegExp) return typeof value === "string" && wanted.test(value);
  if (wanted === "array") return Array.isArray(value);
  return value !== null && typeof value === wanted;
}
