import { hasCode, isJsonObject, isoTime, type JsonObject, parseJson, SECOND_MS } from "@darkmatter/core";
import { poolBuyText, signText } from "@darkmatter/identity";
import { type Connection, endpoint } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import { type PeerAnswer, refusalText, unreachable } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transports } from "../transports/transport.ts";
import { type Amount, amountNumber, amountText } from "./amount.ts";
import { readPurchase, writePurchase } from "./pools.store.ts";
import { ANSWER_MAX } from "./upstream.ts";

/** Longer than a provider may take (30 s). */
const CALL_MS = 40 * SECOND_MS;
const ASK_MS = 10 * SECOND_MS;
/** An answer of the largest size, in base 64, and its headers. */
const CALL_ANSWER_MAX = Math.ceil((ANSWER_MAX * 4) / 3) + 256 * 1024;

export interface PoolCall {
  readonly poolId: string;
  /** The one bought last of this pool when undefined. */
  readonly tokenId: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Using the pools of connected agents. What they answer is theirs. @throws REFUSED, UNREACHABLE, NOT_FOUND */
export interface Consuming {
  info(peer: Connection, poolId: string): Promise<JsonObject>;
  /** Buys balance with what was paid, and keeps the token. */
  buy(peer: Connection, poolId: string, amount: Amount, paymentToken: string): Promise<JsonObject>;
  call(peer: Connection, call: PoolCall): Promise<JsonObject>;
}

const decoder = new TextDecoder();

export function createConsuming({ db, clock, signer, wire }: MeshPorts, transports: Transports): Consuming {
  async function ask(
    peer: Connection,
    method: "GET" | "POST",
    path: string,
    body?: object,
  ): Promise<JsonObject> {
    const request = { method, path, timeoutMs: ASK_MS, ...(body && { body }) };
    return taken(peer, await carried(peer, request));
  }

  async function carried(peer: Connection, request: Parameters<Transports["call"]>[1]): Promise<PeerAnswer> {
    const outcome = await transports.call(peer, request);
    if (outcome.kind === "answered") return outcome.answer;
    throw unreachable(peer.url, outcome.kind === "failed" ? outcome.error : "no answer came by this way");
  }

  /** Over HTTP, since other ways carry no long answers; they serve where nobody is reached by it. */
  async function called(peer: Connection, body: object): Promise<PeerAnswer> {
    try {
      const answer = await wire.request({
        method: "POST",
        url: endpoint(peer.url, "pool_proxy"),
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        timeoutMs: CALL_MS,
        reach: "private",
        maxBytes: CALL_ANSWER_MAX,
      });
      const text = decoder.decode(answer.body);
      if (/^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "")) {
        return { status: 200, body: { success: true, status_code: answer.status, streamed: text } };
      }
      const value = parseJson(text);
      return { status: answer.status, body: isJsonObject(value) ? value : {} };
    } catch (error) {
      // Anything else may have reached it, and would be paid for twice.
      if (!hasCode(error, "UNREACHABLE")) throw unreachable(peer.url, error);
      return carried(peer, { method: "POST", path: "pool_proxy", body, timeoutMs: CALL_MS });
    }
  }

  return {
    info: (peer, poolId) => ask(peer, "GET", `pool_info/${encodeURIComponent(poolId)}`),

    async buy(peer, poolId, amount, paymentToken) {
      const timestamp = isoTime(clock.now());
      const consumer = signer.agentId;
      const text = poolBuyText({ poolId, consumer, amount: amountText(amount), paymentToken, timestamp });
      const answer = await ask(peer, "POST", "pool_buy", {
        pool_id: poolId,
        consumer_agent_id: consumer,
        amount: amountNumber(amount),
        payment_token: paymentToken,
        timestamp,
        from_public_key_hex: consumer,
        signature_hex: signText(signer, text),
      });
      const { token_id: tokenId } = answer;
      if (typeof tokenId !== "string" || tokenId === "" || tokenId.length > 256) {
        throw meshError("REFUSED", "The other agent answered without a token.");
      }
      await db.write((tx) => writePurchase(tx, peer.agentId, poolId, tokenId));
      return answer;
    },

    async call(peer, { poolId, tokenId, method, path, headers, body }) {
      const token = tokenId ?? (await readPurchase(db, peer.agentId, poolId));
      if (token === undefined) {
        throw meshError(
          "NOT_FOUND",
          "No token of that pool is kept here. Buy one (darkmatter pool buy), or name the one you were given.",
        );
      }
      const request = { pool_id: poolId, access_token: token, method, path, headers, body };
      return taken(peer, await called(peer, request));
    },
  };
}

function taken(peer: Connection, answer: PeerAnswer): JsonObject {
  if (answer.status < 400) return answer.body;
  throw meshError("POOL_REFUSED", `${peer.agentId.slice(0, 12)} refused: ${refusalText(answer)}`);
}
