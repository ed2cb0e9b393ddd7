import { hasCode, isJsonObject, type JsonObject, parseJson, reasonOf } from "@darkmatter/core";
import type { OutboundAnswer, Reach } from "@darkmatter/net";
import { quoted } from "./answers.ts";
import { meshError } from "./errors.ts";
import type { MeshPorts } from "./ports.ts";

/** How long each kind of call to another node may take (mesh.md 4, S13). */
export const TIMEOUT_MS = {
  connectionRequest: 30_000,
  webhook: 10_000,
  reply: 30_000,
  impression: 3_000,
  post: 5_000,
  domain: 10_000,
  scan: 500,
} as const;

export interface PeerAnswer {
  readonly status: number;
  /** The answer's JSON object; empty when it is none. */
  readonly body: JsonObject;
}

export interface PeerCall {
  readonly url: string;
  readonly timeoutMs: number;
  readonly reach: Reach;
  readonly signal?: AbortSignal | undefined;
}

/** JSON calls to other nodes. An answer of any status resolves; no answer throws what `Wire` threw. */
export interface Peers {
  get(call: PeerCall): Promise<PeerAnswer>;
  post(call: PeerCall, body: object): Promise<PeerAnswer>;
}

/** How much of a refusal is shown. */
const REFUSAL_SHOWN = 200;

const JSON_HEADERS = { "content-type": "application/json" };
const decoder = new TextDecoder();

export function createPeers({ wire }: Pick<MeshPorts, "wire">): Peers {
  return {
    async get({ url, timeoutMs, reach, signal }) {
      return parsed(await wire.request({ method: "GET", url, timeoutMs, reach, ...(signal && { signal }) }));
    },
    async post({ url, timeoutMs, reach, signal }, body) {
      const text = JSON.stringify(body);
      return parsed(
        await wire.request({
          method: "POST",
          url,
          headers: JSON_HEADERS,
          body: text,
          timeoutMs,
          reach,
          ...(signal && { signal }),
        }),
      );
    },
  };
}

function parsed(answer: OutboundAnswer): PeerAnswer {
  const body = parseJson(decoder.decode(answer.body));
  return { status: answer.status, body: isJsonObject(body) ? body : {} };
}

/** What an answer ≥ 400 says: its error on one line, bounded and quoted, since a peer wrote it. */
export function refusalText(answer: PeerAnswer): string {
  const { error } = answer.body;
  return `HTTP ${answer.status}${typeof error === "string" ? `, it says ${quoted(error, REFUSAL_SHOWN)}` : ""}`;
}

/** Runs calls side by side, at most `limit` at a time; results in the order of `items` (S13). */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  call: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await call(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}

export const PARALLEL_CALLS_MAX = 16;

/** How an exchange ends after its request may have left; ABORTED when this node stops meanwhile. */
const ARRIVED_PERHAPS = ["TIMEOUT", "CONNECTION_LOST", "ANSWER_TOO_LARGE", "ABORTED"];

/** Whether the other side may have got what was sent, although no answer came. */
export function mayHaveArrived(error: unknown): boolean {
  return ARRIVED_PERHAPS.some((code) => hasCode(error, code));
}

/** Turns a failed call into an error a user can act on. */
export function unreachable(url: string, error: unknown): Error {
  return meshError("UNREACHABLE", `Failed to reach target agent at ${url}: ${reasonOf(error)}`, error);
}
