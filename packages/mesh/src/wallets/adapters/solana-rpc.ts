import { DarkMatterError, SECOND_MS } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import { createSolanaRpcFromTransport, isSolanaError, type RpcTransport } from "@solana/kit";
import { meshError } from "../../errors.ts";

const CALL_TIMEOUT_MS = 10 * SECOND_MS;
/** A transaction with all its inner steps and logs stays well below. */
const ANSWER_MAX_BYTES = 2 * 1024 * 1024;

export type SolanaRpc = ReturnType<typeof createSolanaRpcFromTransport<RpcTransport>>;

/** The chain's JSON-RPC over our one way out. The URL is the owner's own word, so it may be on this machine. */
export function openRpc(wire: Wire, url: string): SolanaRpc {
  const transport = async ({ payload, signal }: { payload: unknown; signal?: AbortSignal }) => {
    const answer = await wire.request({
      method: "POST",
      url,
      headers: { "content-type": "application/json; charset=utf-8", accept: "application/json" },
      body: JSON.stringify(payload, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
      timeoutMs: CALL_TIMEOUT_MS,
      reach: "private",
      maxBytes: ANSWER_MAX_BYTES,
      ...(signal && { signal }),
    });
    if (answer.status !== 200) throw unreachableChain(`HTTP ${answer.status}`);
    return parsed(new TextDecoder().decode(answer.body));
  };
  return createSolanaRpcFromTransport(transport as RpcTransport);
}

/** Whole numbers as bigint: lamports go beyond what a float holds. */
function parsed(text: string): unknown {
  const exact = (_: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === "number" && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    throw unreachableChain("an answer that is no JSON", error);
  }
}

/** Sends a request; what goes wrong says so without the URL, and without the node's words. */
export async function asked<T>(request: { send(): Promise<T> }): Promise<T> {
  try {
    return await request.send();
  } catch (error) {
    if (error instanceof DarkMatterError) throw unreachableChain(error.message);
    throw unreachableChain(isSolanaError(error) ? `error ${error.context.__code}` : "an unusable answer");
  }
}

export function unreachableChain(why: string, cause?: unknown): DarkMatterError {
  return meshError("CHAIN_UNREACHABLE", `The Solana node could not be used: ${why}`, cause);
}
