import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sleep, until } from "../checks.ts";
import { Float, pythonJson } from "./python-json.ts";

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into by checks
export type Body = any;

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: Body;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
}

export interface OldPeerOptions {
  readonly name: string;
  /** Connects whoever asks; else requests are queued and challenged. */
  readonly autoAccepts?: boolean;
}

type Script = (request: Received) => Promise<[number, unknown]> | [number, unknown];

/**
 * A node of the first generation (v0.3.3), as far as others can see it, written from the protocol alone: none of our
 * own rooms is imported, so that a mistake of theirs cannot hide in it. Requests and answers have the shape of the
 * vectors.
 */
export interface OldPeer extends AsyncDisposable {
  readonly agentId: string;
  readonly name: string;
  readonly base: string;
  readonly received: readonly Received[];
  /** The requests to a path so far. */
  to(method: string, path: string): Received[];
  /** The next request to a path that `fits`, or the one that came already. */
  heard(method: string, path: string, fits?: (body: Body) => boolean, timeoutMs?: number): Promise<Received>;
  /** POSTs as Python does. */
  post(url: string, body: object): Promise<Answered>;
  get(url: string): Promise<Answered>;
  /** Replaces what one path answers. */
  script(method: string, path: string, answer: Script | undefined): void;
  /** A message to a node, signed, with this peer's webhook. */
  message(content: string, more?: Readonly<Record<string, unknown>>): Body;
  reply(messageId: string, response: string): Body;
  connectionRequest(): Body;
  /** Waits so long before it answers a message. */
  slowMs: number;
  sign(...lines: readonly string[]): string;
}

const SPKI_PREFIX = "302a300506032b6570032100";

export const now = () => new Date().toISOString().replace(/(\.\d{3})Z$/, "$1000+00:00");
export const messageId = () => `msg-${randomBytes(6).toString("hex")}`;

export async function oldPeer({ name, autoAccepts = true }: OldPeerOptions): Promise<OldPeer> {
  const { privateKey, agentId } = newKey();
  const received: Received[] = [];
  const scripts = new Map<string, Script>();
  const sent = new Map<string, { updates: object[]; status: string }>();
  let base = "";

  const details = () => ({
    agent_id: agentId,
    agent_url: `${base}/mcp`,
    agent_bio: `${name}, of the first generation`,
    agent_public_key_hex: agentId,
    agent_display_name: name,
    wallets: {},
    wallet_address: null,
    created_at: "2026-01-01T00:00:00+00:00",
  });

  async function takeMessage(body: Body): Promise<[number, unknown]> {
    const {
      message_id: id,
      content,
      webhook,
      from_agent_id: from,
      timestamp,
      signature_hex: signature,
    } = body;
    if (!id || !content || !webhook) return [400, { error: "Missing required fields" }];
    if (!isSignedBy(from, [from, id, timestamp, content], signature))
      return [403, { error: "Invalid signature" }];
    // The reference calls the webhook before it answers.
    await peer.post(webhook, { type: "received", agent_id: agentId });
    await sleep(peer.slowMs);
    return [200, { success: true, queued: true, queue_position: 1 }];
  }

  function takeCallback(id: string, body: Body): [number, unknown] {
    const record = sent.get(id);
    if (!record) return [404, { error: `No sent message with ID '${id}'` }];
    if (body.type === "response") record.status = "responded";
    else record.updates.push({ ...body, timestamp: now() });
    return [200, { success: true, recorded: body.type }];
  }

  function answer({ method, path, body }: Received): Promise<[number, unknown]> | [number, unknown] {
    const [, webhookOf] = /^\/__darkmatter__\/webhook\/([^/]+)$/.exec(path) ?? [];
    const record = sent.get(webhookOf ?? "");
    if (webhookOf !== undefined && method === "POST") return takeCallback(webhookOf, body);
    if (webhookOf !== undefined && record !== undefined) {
      return [200, { message_id: webhookOf, initial_hops: 10, created_at: now(), ...record }];
    }
    switch (`${method} ${path}`) {
      case "GET /.well-known/darkmatter.json":
        return [200, { darkmatter: true, protocol_version: "0.2", agent_id: agentId, status: "active" }];
      case "POST /__darkmatter__/connection_request":
        if (autoAccepts)
          return [200, { auto_accepted: true, ...details(), message: "Auto-accepted (local network)." }];
        return [
          200,
          {
            auto_accepted: false,
            request_id: "req-11112222",
            agent_id: agentId,
            ...challenge,
            message: "queued",
          },
        ];
      case "POST /__darkmatter__/connection_proof":
        return [403, { error: "Invalid proof" }];
      case "POST /__darkmatter__/connection_accepted":
        return [200, { success: true }];
      case "POST /__darkmatter__/peer_update":
        return [200, { success: true, updated: true }];
      case "POST /__darkmatter__/message":
        return takeMessage(body);
      default:
        return [404, "Not Found"];
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request);
    const heard: Received = {
      method: request.method ?? "",
      path: request.url ?? "",
      contentType: request.headers["content-type"] ?? "",
      body: text === "" ? undefined : JSON.parse(text),
    };
    received.push(heard);
    const [status, body] = await (scripts.get(`${heard.method} ${heard.path}`) ?? answer)(heard);
    const isText = typeof body === "string";
    response.writeHead(status, { "content-type": isText ? "text/plain; charset=utf-8" : "application/json" });
    response.end(isText ? body : pythonJson(body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const peer: OldPeer = {
    agentId,
    name,
    base,
    received,
    slowMs: 0,
    to: (method, path) => received.filter((one) => one.method === method && one.path === path),
    heard: (method, path, fits = () => true, timeoutMs = 5000) =>
      until(
        `${name} hears ${method} ${path}`,
        () => peer.to(method, path).find(({ body }) => fits(body)),
        timeoutMs,
      ),
    post: (url, body) => request("POST", url, pythonJson(body)),
    get: (url) => request("GET", url, undefined),
    script: (method, path, script) => {
      if (script) scripts.set(`${method} ${path}`, script);
      else scripts.delete(`${method} ${path}`);
    },
    sign: (...lines) => sign(null, Buffer.from(lines.join("\n"), "utf8"), privateKey).toString("hex"),

    message(content, { message_id: id = messageId(), timestamp = now(), ...more } = {}) {
      sent.set(id as string, { updates: [], status: "active" });
      return {
        message_id: id,
        content,
        webhook: `${base}/__darkmatter__/webhook/${id}`,
        hops_remaining: new Float(10),
        metadata: {},
        timestamp,
        from_agent_id: agentId,
        from_public_key_hex: agentId,
        signature_hex: peer.sign(agentId, id as string, timestamp as string, content),
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
        signature_hex: peer.sign(agentId, id, timestamp, response),
      };
    },

    connectionRequest: () => ({
      from_agent_id: agentId,
      from_agent_url: `${base}/mcp`,
      from_agent_bio: `${name}, of the first generation`,
      from_agent_public_key_hex: agentId,
      from_agent_display_name: name,
      wallets: {},
      from_agent_wallet_address: null,
      created_at: "2026-01-01T00:00:00+00:00",
    }),

    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
  return peer;
}

const challenge = {
  challenge_id: "ch-0123456789abcdef",
  challenge_hex: "f8f5437980f00700843a8cbc17e379e9446ac2c85a7c6af2527e0166bcf4e1a9",
};
export const CHALLENGE_HEX = challenge.challenge_hex;

/** Whether a signature over LF-joined lines is that of the key an agent id is. */
export function isSignedBy(agentId: string, lines: readonly string[], signatureHex: unknown): boolean {
  if (!/^[0-9a-f]{64}$/.test(agentId) || typeof signatureHex !== "string") return false;
  const key = createPublicKey({
    key: Buffer.from(SPKI_PREFIX + agentId, "hex"),
    format: "der",
    type: "spki",
  });
  return verify(null, Buffer.from(lines.join("\n"), "utf8"), key, Buffer.from(signatureHex, "hex"));
}

function newKey(): { privateKey: KeyObject; agentId: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privateKey,
    agentId: publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex"),
  };
}

async function request(method: string, url: string, body: string | undefined): Promise<Answered> {
  const headers = body === undefined ? undefined : { "content-type": "application/json" };
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(10_000),
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return { status: response.status, text, body: parsed(text) };
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    // Some answers are plain text.
    return undefined;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  return text;
}
