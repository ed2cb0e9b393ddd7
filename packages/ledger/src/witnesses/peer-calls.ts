import { DarkMatterError, isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import type { LedgerPeer, LedgerPorts } from "../ports.ts";

/** `body` is the answer's JSON object, empty when it is none; `reason` is an error code of `Wire`. */
export type PeerAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly body: JsonObject }
  | { readonly kind: "silent"; readonly reason: string };

/** POSTs JSON to another node; that it does not answer is an answer too. */
export type PostToPeer = (
  peer: LedgerPeer,
  path: "checkpoint" | "evidence",
  body: object,
  timeoutMs: number,
) => Promise<PeerAnswer>;

const decoder = new TextDecoder();

/** `stop` ends the calls under way. */
export function createPostToPeer({ wire }: Pick<LedgerPorts, "wire">, stop: AbortSignal): PostToPeer {
  return async (peer, path, body, timeoutMs) => {
    const request = {
      method: "POST",
      url: `${baseUrl(peer.url)}/__darkmatter__/${path}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      timeoutMs,
      reach: "private",
      signal: stop,
    } as const;
    try {
      const { status, body: bytes } = await wire.request(request);
      const parsed = parseJson(decoder.decode(bytes));
      return { kind: "answered", status, body: isJsonObject(parsed) ? parsed : {} };
    } catch (error) {
      if (error instanceof DarkMatterError) return { kind: "silent", reason: error.code };
      throw error;
    }
  };
}
