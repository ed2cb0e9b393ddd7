import { isJsonObject, type Json, type JsonObject, parseJson } from "@darkmatter/core";
import { z } from "zod";
import { meshError } from "../errors.ts";
import { StatePool } from "../pools/pools.state.ts";
import { RULES_MAX, Rule } from "../router/rule.ts";
import { StateShard } from "../shards/shards.state.ts";

/** The JSON state file of the first generation (mesh.md 16), as far as the mesh reads it. Unknown fields are kept. */
export interface StateFile {
  readonly bio: string | undefined;
  readonly createdAt: string | undefined;
  readonly displayName: string | undefined;
  readonly messagesHandled: number;
  readonly rateLimitGlobal: number;
  readonly superagentUrl: string | null;
  readonly connections: readonly StateConnection[];
  readonly sent: readonly StateSent[];
  readonly impressions: Readonly<Record<string, StateImpression>>;
  readonly conversation: readonly StateEntry[];
  readonly shards: readonly StateShard[];
  readonly rules: readonly Rule[];
  readonly pools: readonly StatePool[];
  /** What happened to fees, oldest first. */
  readonly fees: readonly JsonObject[];
  /** Message id to Unix time in seconds. */
  readonly seen: Readonly<Record<string, number>>;
  /** Everything that has no table yet or is unknown: written back as it was read. */
  readonly rest: JsonObject;
}

const text = z.string();
/** More than anybody ever counted, and far from where SQLite's integers stop being JavaScript's. */
const COUNT_MAX = 1e12;
const count = z.number().transform((value) => Math.min(Math.max(0, Math.trunc(value)), COUNT_MAX));

const StateConnection = z.object({
  agent_id: text,
  agent_url: text,
  agent_bio: text.nullish().transform((value) => value ?? ""),
  connected_at: text.nullish(),
  messages_sent: count.default(0),
  messages_received: count.default(0),
  messages_declined: count.default(0),
  total_response_time_ms: z.number().default(0),
  last_activity: text.nullish(),
  agent_public_key_hex: text.nullish(),
  agent_display_name: text.nullish(),
  wallets: z.record(text, text).nullish(),
  wallet_address: text.nullish(),
  addresses: z.record(text, text).nullish(),
  rate_limit: z.number().int().default(0),
  peer_created_at: text.nullish(),
  identity_verified: z.boolean().default(false),
  features: z.array(text).default([]),
});
export type StateConnection = z.output<typeof StateConnection>;

const StateSent = z.object({
  message_id: text,
  content: text,
  status: z.enum(["active", "responded", "expired"]).catch("active"),
  initial_hops: count.default(10),
  routed_to: z.array(text).default([]),
  created_at: text,
  updates: z.array(z.record(text, z.json())).default([]),
  responses: z.array(z.record(text, z.json())).optional(),
  response: z.record(text, z.json()).nullish(),
});
export type StateSent = z.output<typeof StateSent>;

const StateImpression = z.union([
  z.object({ score: z.number().min(-1).max(1), note: text.default(""), negative_since: text.nullish() }),
  // @NOTE the older seed kept free text: no score, the text as note.
  text.transform((note) => ({ score: 0, note, negative_since: null })),
]);
export type StateImpression = z.output<typeof StateImpression>;

const StateEntry = z.object({
  message_id: text,
  content: text,
  from_agent_id: text,
  to_agent_ids: z.array(text),
  timestamp: text,
  entry_type: z.enum(["direct", "broadcast", "reply", "forward"]),
  direction: z.enum(["inbound", "outbound"]),
  trust_at_time: z.number().default(0),
  metadata: z.record(text, z.json()).default({}),
});
export type StateEntry = z.output<typeof StateEntry>;

const Whole = z.looseObject({
  agent_id: text,
  bio: text.optional(),
  created_at: text.optional(),
  display_name: text.nullish(),
  messages_handled: count.default(0),
  rate_limit_global: z.number().int().default(0),
  superagent_url: text.nullish(),
  connections: z.record(text, StateConnection).default({}),
  sent_messages: z.record(text, StateSent).default({}),
  impressions: z.record(text, StateImpression).default({}),
  conversation_log: z.array(StateEntry).default([]),
  shared_shards: z.array(StateShard).default([]),
  routing_rules: z.array(Rule).max(RULES_MAX).default([]),
  pools: z.array(StatePool).default([]),
  gas_log: z.array(z.record(text, z.json())).default([]),
  seen_message_ids: z.record(text, z.number()).default({}),
});

/** Fields that have tables, or that come from the passport and the environment; all others are kept as they are. */
const OWN_FIELDS = new Set([
  ...Object.keys(Whole.shape),
  "inactive_until",
  "message_queue",
  "port",
  "public_key_hex",
  "status",
  // Never kept, whoever wrote it.
  "private_key_hex",
]);

/** Reads a state file. Throws STATE_FILE for one that is damaged or another agent's: it is never overwritten then. */
export function parseStateFile(source: string, agentId: string): StateFile {
  const value = parseJson(source);
  if (!isJsonObject(value)) throw meshError("STATE_FILE", "The state file is not a JSON object.");
  const whole = Whole.safeParse(value);
  if (!whole.success) {
    const where = whole.error.issues[0]?.path.join(".") ?? "";
    throw meshError("STATE_FILE", `The state file is damaged at '${where}'.`);
  }
  const file = whole.data;
  if (file.agent_id !== agentId) throw meshError("STATE_FILE", "The state file belongs to another agent.");
  return {
    bio: file.bio,
    createdAt: file.created_at,
    displayName: file.display_name ?? undefined,
    messagesHandled: file.messages_handled,
    rateLimitGlobal: file.rate_limit_global,
    superagentUrl: file.superagent_url ?? null,
    connections: Object.values(file.connections),
    sent: Object.values(file.sent_messages),
    impressions: file.impressions,
    conversation: file.conversation_log,
    shards: file.shared_shards,
    rules: file.routing_rules,
    pools: file.pools,
    fees: file.gas_log as JsonObject[],
    seen: file.seen_message_ids,
    rest: Object.fromEntries(Object.entries(value).filter(([name]) => !OWN_FIELDS.has(name))),
  };
}

/** The file's text: indent 2, as the reference writes it. */
export const stateText = (file: { [key: string]: Json }): string => JSON.stringify(file, null, 2);

/** The wallets of a connection, from the old single address where there are none. */
export function walletsOf({ wallets, wallet_address: legacy }: StateConnection): Record<string, string> {
  if (wallets && Object.keys(wallets).length > 0) return wallets;
  return legacy ? { solana: legacy } : {};
}

/** The addresses of a connection, from its URL where the field is missing. */
export function addressesOf({ addresses, agent_url: url }: StateConnection): Record<string, string> {
  return addresses ?? { http: url };
}

export const responsesOf = ({ responses, response }: StateSent): JsonObject[] =>
  responses ?? (response ? [response] : []);
