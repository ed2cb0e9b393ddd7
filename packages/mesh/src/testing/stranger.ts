import { isoTime, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import type { VirtualClock } from "@darkmatter/core/testing";
import { createSigner, messageText, replyText, type Signer, signText } from "@darkmatter/identity";
import type { MemoryHost } from "@darkmatter/net/testing";
import { type Receipt, receiptText } from "@darkmatter/proof";
import { callHandler, type HandlerAnswer } from "@darkmatter/surface/testing";
import type { TestNode } from "./memory-network.ts";

/** What a stranger was asked or told. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly body: JsonObject;
}

/** What a stranger answers: a status, and a body when it has one. */
export type StrangerAnswer = readonly [status: number, body?: Json];

/** An agent that is no node of ours: it signs and posts by hand, answers as it is told, and keeps what it hears. */
export interface Stranger {
  readonly id: string;
  readonly signer: Signer;
  readonly url: string;
  readonly heard: Heard[];
  /** Replaces what it answers; 200 `{}` at first. */
  answers(answer: (request: Heard) => StrangerAnswer | undefined): void;
  /** A message as it should be, and with whatever is given instead; signed unless a signature is given. */
  message(fields?: JsonObject): JsonObject;
  /** A signed reply to a message of another agent. */
  reply(messageId: string, response: string, fields?: JsonObject): JsonObject;
  /**
   * A signed receipt for a message it was sent, and with whatever is given instead: `content` and `from_agent_id` as
   * the signature is to cover them, the rest as it is told.
   */
  receipt(message: JsonObject, fields?: JsonObject): JsonObject;
  /** A request to connect. */
  request(fields?: JsonObject): JsonObject;
  post(node: TestNode, path: string, body: object | string, remote?: string): Promise<HandlerAnswer>;
  /** What it was told at the paths that end so. */
  heardAt(ending: string): JsonObject[];
}

/** A stranger on a host of the memory internet. `seed` tells strangers apart. */
export function stranger(
  clock: VirtualClock,
  host: MemoryHost,
  options: { readonly port?: number; readonly seed?: number; readonly url?: string } = {},
): Stranger {
  const { port = 9000, seed = 200 } = options;
  const signer = createSigner(new Uint8Array(32).fill(seed));
  const id = signer.agentId;
  const url = options.url ?? `http://127.0.0.1:${port}`;
  const heard: Heard[] = [];
  let answer: (request: Heard) => StrangerAnswer | undefined = () => undefined;
  let count = 0;

  host.listen(port, async ({ method, path, body }) => {
    const text = Buffer.from(body).toString("utf8");
    const request = { method, path, body: text === "" ? {} : (JSON.parse(text) as JsonObject) };
    heard.push(request);
    const [status, value] = answer(request) ?? [200, {}];
    return {
      status,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value ?? {}),
    };
  });

  return {
    id,
    signer,
    url,
    heard,
    answers: (given) => {
      answer = given;
    },

    message(fields = {}) {
      count++;
      const messageId = typeof fields.message_id === "string" ? fields.message_id : `msg-${seed}-${count}`;
      const body = {
        message_id: messageId,
        content: "hello",
        webhook: `${url}/__darkmatter__/webhook/${messageId}`,
        from_agent_id: id,
        from_public_key_hex: id,
        timestamp: isoTime(clock.now()),
        hops_remaining: 10,
        metadata: {},
        ...fields,
      };
      const { timestamp, content } = body as { timestamp: string; content: string };
      const text = messageText({ from: String(body.from_agent_id), messageId, timestamp, content });
      return { signature_hex: text === undefined ? "00".repeat(64) : signText(signer, text), ...body };
    },

    reply(messageId, response, fields = {}) {
      const timestamp = isoTime(clock.now());
      const text = replyText({ agentId: id, messageId, timestamp, response });
      return {
        type: "response",
        agent_id: id,
        response,
        metadata: {},
        timestamp,
        from_public_key_hex: id,
        signature_hex: signText(signer, text),
        ...fields,
      };
    },

    receipt({ message_id, content, from_agent_id }, fields = {}) {
      const { content: words, from_agent_id: from, ...told } = { content, from_agent_id, ...fields };
      const rung = { rung: "read", at: isoTime(clock.now()), commit: null, detail: null };
      const receipt = { agent_id: id, message_id, ...rung, ...told } as unknown as Receipt;
      const covered = { from_agent_id: String(from), content_hash: sha256Hex(String(words)) };
      const sig = signText(signer, receiptText({ ...receipt, ...covered }));
      return { ...receipt, sig, ...told };
    },

    request: (fields = {}) => ({
      from_agent_id: id,
      from_agent_url: url,
      from_agent_bio: "a stranger",
      from_agent_public_key_hex: id,
      from_agent_display_name: "stranger",
      wallets: {},
      created_at: "2026-01-15T00:00:00+00:00",
      ...fields,
    }),

    post: (node, path, body, remote = "127.0.0.1") =>
      callHandler(node.handler, {
        method: "POST",
        path: `/__darkmatter__/${path}`,
        body,
        remote,
      }),

    heardAt: (ending) => heard.filter(({ path }) => path.endsWith(ending)).map(({ body }) => body),
  };
}
