import { sleep, until } from "../checks.ts";
import { type Answered, call, type Received, type Reply, serve } from "./http.ts";
import { type Body, now, type Papers, papersOf } from "./papers.ts";
import { isSignedBy, type Key, newKey } from "./signing.ts";

export interface OldPeerOptions {
  readonly name: string;
  /** Connects whoever asks; else requests are queued and challenged. */
  readonly autoAccepts?: boolean;
}

/**
 * A node of the first generation (v0.3.3), as far as others can see it, written from the protocol alone: none of our
 * own rooms is imported, so that a mistake of theirs cannot hide in it.
 */
export interface OldPeer extends Papers, Key, AsyncDisposable {
  readonly name: string;
  readonly base: string;
  readonly received: readonly Received[];
  /** The requests to a path so far. */
  to(method: string, path: string): Received[];
  /** The first request to a path that `fits`, once there is one. */
  heard(method: string, path: string, fits?: (body: Body) => boolean): Promise<Received>;
  post(url: string, body: object): Promise<Answered>;
  get(url: string): Promise<Answered>;
  /** Replaces what one path answers; `undefined` undoes it. */
  script(method: string, path: string, answer: (() => Reply) | undefined): void;
  /** Waits so long before it answers a message. */
  slowMs: number;
}

export const CHALLENGE_HEX = "f8f5437980f00700843a8cbc17e379e9446ac2c85a7c6af2527e0166bcf4e1a9";
const WEBHOOK = /^\/__darkmatter__\/webhook\/([^/]+)$/;

export async function oldPeer({ name, autoAccepts = true }: OldPeerOptions): Promise<OldPeer> {
  const key = newKey();
  const received: Received[] = [];
  const scripts = new Map<string, () => Reply>();
  const webhooks = createWebhooks();
  const { server, base } = await serve(async (request) => {
    received.push(request);
    const { method, path } = request;
    const script = scripts.get(`${method} ${path}`);
    if (script) return script();
    const [, id] = WEBHOOK.exec(path) ?? [];
    return id === undefined ? answer(peer, request, autoAccepts) : webhooks.answer(id, request);
  });
  const papers = papersOf(key, name, base);

  const peer: OldPeer = {
    ...key,
    ...papers,
    name,
    base,
    received,
    slowMs: 0,
    to: (method, path) => received.filter((one) => one.method === method && one.path === path),
    heard: (method, path, fits = () => true) =>
      until(`${name} hears ${method} ${path}`, () => peer.to(method, path).find(({ body }) => fits(body))),
    post: (url, body) => call("POST", url, body),
    get: (url) => call("GET", url),
    script(method, path, script) {
      if (script) scripts.set(`${method} ${path}`, script);
      else scripts.delete(`${method} ${path}`);
    },
    message(content, more) {
      const message = papers.message(content, more);
      webhooks.open(message.message_id);
      return message;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
  return peer;
}

async function answer(peer: OldPeer, { method, path, body }: Received, autoAccepts: boolean): Promise<Reply> {
  const { agentId } = peer;
  switch (`${method} ${path}`) {
    case "GET /.well-known/darkmatter.json":
      return [200, { darkmatter: true, protocol_version: "0.2", agent_id: agentId, status: "active" }];
    case "POST /__darkmatter__/connection_request":
      if (autoAccepts) return [200, { auto_accepted: true, ...peer.acceptance(), message: "Auto-accepted." }];
      return [200, queued(agentId)];
    case "POST /__darkmatter__/connection_proof":
      // It refuses every proof (mesh.md 6.2).
      return [403, { error: "Invalid proof" }];
    case "POST /__darkmatter__/connection_accepted":
      return [200, { success: true }];
    case "POST /__darkmatter__/peer_update":
      return [200, { success: true, updated: true }];
    case "POST /__darkmatter__/message":
      return takeMessage(peer, body);
    default:
      return [404, "Not Found"];
  }
}

function queued(agentId: string): object {
  const challenge = { challenge_id: "ch-0123456789abcdef", challenge_hex: CHALLENGE_HEX };
  return {
    auto_accepted: false,
    request_id: "req-11112222",
    agent_id: agentId,
    ...challenge,
    message: "queued",
  };
}

async function takeMessage(peer: OldPeer, body: Body): Promise<Reply> {
  const { message_id: id, content, webhook, from_agent_id: from, timestamp, signature_hex: signature } = body;
  if (!id || !content || !webhook) return [400, { error: "Missing required fields" }];
  if (!isSignedBy(from, [from, id, timestamp, content], signature))
    return [403, { error: "Invalid signature" }];
  // It calls the webhook before it answers.
  await peer.post(webhook, { type: "received", agent_id: peer.agentId });
  await sleep(peer.slowMs);
  return [200, { success: true, queued: true, queue_position: 1 }];
}

/** What holders of its messages ask and tell. */
function createWebhooks() {
  const records = new Map<string, { status: string; updates: object[] }>();
  return {
    open: (id: string) => void records.set(id, { status: "active", updates: [] }),
    answer(id: string, { method, body }: Received): Reply {
      const record = records.get(id);
      if (!record) return [404, { error: `No sent message with ID '${id}'` }];
      if (method === "GET") return [200, { message_id: id, initial_hops: 10, created_at: now(), ...record }];
      if (body.type === "response") record.status = "responded";
      else record.updates.push({ ...body, timestamp: now() });
      return [200, { success: true, recorded: body.type }];
    },
  };
}
