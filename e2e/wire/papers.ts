import { randomBytes } from "node:crypto";
import { Float } from "./python-json.ts";
import type { Key } from "./signing.ts";

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into by checks
export type Body = any;

/** The bodies a node of the first generation sends, in the shape of the vectors. */
export interface Papers {
  /** A signed message with this peer's webhook; `more` replaces fields after signing, but id and time before. */
  message(content: string, more?: Readonly<Record<string, unknown>>): Body;
  /** A signed reply to a message of somebody else. */
  reply(messageId: string, response: string): Body;
  connectionRequest(): Body;
  /** What it says of itself when it accepts. */
  acceptance(): Body;
}

const BORN = "2026-01-01T00:00:00+00:00";

/** This moment as Python prints it. */
export const now = () => new Date().toISOString().replace(/(\.\d{3})Z$/, "$1000+00:00");
export const messageId = () => `msg-${randomBytes(6).toString("hex")}`;

export function papersOf({ agentId, sign }: Key, name: string, base: string): Papers {
  const bio = `${name}, of the first generation`;
  return {
    message(content, { message_id: id = messageId(), timestamp = now(), ...more } = {}) {
      return {
        message_id: id,
        content,
        webhook: `${base}/__darkmatter__/webhook/${id}`,
        hops_remaining: new Float(10),
        metadata: {},
        timestamp,
        from_agent_id: agentId,
        from_public_key_hex: agentId,
        signature_hex: sign(agentId, id as string, timestamp as string, content),
        ...more,
      };
    },

    reply(id, response) {
      const timestamp = now();
      return {
        type: "response",
        agent_id: agentId,
        response,
        metadata: {},
        timestamp,
        from_public_key_hex: agentId,
        signature_hex: sign(agentId, id, timestamp, response),
      };
    },

    connectionRequest: () => ({
      from_agent_id: agentId,
      from_agent_url: `${base}/mcp`,
      from_agent_bio: bio,
      from_agent_public_key_hex: agentId,
      from_agent_display_name: name,
      wallets: {},
      from_agent_wallet_address: null,
      created_at: BORN,
    }),

    acceptance: () => ({
      agent_id: agentId,
      agent_url: `${base}/mcp`,
      agent_bio: bio,
      agent_public_key_hex: agentId,
      agent_display_name: name,
      wallets: {},
      wallet_address: null,
      created_at: BORN,
    }),
  };
}
